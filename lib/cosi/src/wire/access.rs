//! Who may do what over the wire: the question the server asks before every call, and two ready answers.
//!
//! The server knows no roles, uids or certificates. What the transport learned of the peer is in the extensions; the
//! program that serves puts it there and judges it here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use store::Definition;
use tonic::{Extensions, Status};

use crate::graph::Node;
use crate::status::{ControllerStatus, RuntimeStatus};

/// What a call is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read one.
    Get,
    /// Read all of a kind.
    List,
    /// Be told of changes.
    Watch,
    /// Write a new one.
    Create,
    /// Write over one; also how finalizers come and go.
    Update,
    /// Remove one, or begin to.
    Destroy,
}

impl Verb {
    /// Whether it changes anything.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Destroy)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Destroy => "destroy",
        })
    }
}

/// A call, before it is answered.
#[derive(Debug)]
pub struct Call<'a> {
    /// What it is about to do.
    pub verb: Verb,
    /// Where.
    pub namespace: &'a str,
    /// To which type.
    pub ty: &'a str,
    /// To which id, when it is about one.
    pub id: Option<&'a str>,
    /// As whom it wants to write; empty means unowned.
    pub owner: &'a str,
    /// The type's definition, when the server knows the type.
    pub definition: Option<&'static Definition>,
    /// What the transport learned of the peer.
    pub extensions: &'a Extensions,
}

impl Call<'_> {
    /// The refusal of this call.
    #[must_use]
    pub fn denied(&self) -> Status {
        let owner = match self.owner {
            "" => String::new(),
            owner => format!(" as {owner}"),
        };
        Status::permission_denied(format!(
            "{} of {} in namespace {:?}{owner} is not allowed",
            self.verb, self.ty, self.namespace
        ))
    }
}

/// Who is behind a call: what `why` names as the writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer(pub Arc<str>);

/// Judges calls.
pub trait Access: Send + Sync + 'static {
    /// Who is behind the call, if it is allowed.
    ///
    /// # Errors
    /// The refusal, as the peer gets it.
    fn check(&self, call: &Call<'_>) -> Result<Writer, Status>;
}

/// Everybody may do everything: for development servers and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Access for Open {
    fn check(&self, call: &Call<'_>) -> Result<Writer, Status> {
        Ok(Writer(match call.owner {
            "" => Arc::from("anyone"),
            owner => Arc::from(owner),
        }))
    }
}

/// What one peer may do: a remote runtime reads its controllers' inputs, and writes their outputs in their names.
/// Types that are sensitive are never readable through it.
#[derive(Clone, Debug)]
pub struct Grants {
    writer: Writer,
    reads: BTreeSet<(String, String)>,
    writes: BTreeSet<(String, String, String)>,
}

impl Grants {
    /// Nothing yet, for this peer.
    pub fn new(writer: impl Into<Arc<str>>) -> Self {
        Self {
            writer: Writer(writer.into()),
            reads: BTreeSet::new(),
            writes: BTreeSet::new(),
        }
    }

    /// What a remote runtime of this name needs to run these controllers.
    #[must_use]
    pub fn of_runtime(name: &str, controllers: &[Node]) -> Self {
        let mut grants = Self::new(name)
            .write_as::<RuntimeStatus>(name)
            .write_as::<ControllerStatus>(name);
        for node in controllers {
            for input in node.inputs {
                grants = grants.read(input.namespace, input.ty);
            }
            for output in node.outputs {
                grants = grants.write(output.namespace, output.ty, node.name);
            }
        }
        grants
    }

    fn write_as<S: store::Spec>(self, owner: &str) -> Self {
        self.write(S::DEFINITION.namespace, S::DEFINITION.ty, owner)
    }

    /// May read a kind.
    #[must_use]
    pub fn read(mut self, namespace: &str, ty: &str) -> Self {
        self.reads.insert((namespace.to_owned(), ty.to_owned()));
        self
    }

    /// May write a kind as this owner, and read it.
    #[must_use]
    pub fn write(mut self, namespace: &str, ty: &str, owner: &str) -> Self {
        self.writes
            .insert((namespace.to_owned(), ty.to_owned(), owner.to_owned()));
        self.read(namespace, ty)
    }
}

impl Access for Grants {
    fn check(&self, call: &Call<'_>) -> Result<Writer, Status> {
        let kind = (call.namespace.to_owned(), call.ty.to_owned());
        let allowed = if call.verb.is_write() {
            let (namespace, ty) = kind;
            self.writes
                .contains(&(namespace, ty, call.owner.to_owned()))
        } else {
            let sensitive = call.definition.is_some_and(|known| known.sensitive);
            self.reads.contains(&kind) && !sensitive
        };
        if allowed {
            Ok(self.writer.clone())
        } else {
            Err(call.denied())
        }
    }
}
