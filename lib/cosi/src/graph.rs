//! The graph of controllers and the kinds between them: checked when a controller is registered, printed for people.

use std::collections::BTreeSet;
use std::fmt;

use crate::declare::{Declare, Input, InputKind, Output, OutputKind};

/// Why a controller is refused; nothing of it is registered then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The name is the owner of its outputs, so there can be only one.
    #[error("a controller named {name} is registered already")]
    Name {
        /// The name.
        name: &'static str,
    },
    /// An exclusive output has a second writer.
    #[error(
        "{second} writes {ty} in {namespace}, and so does {first}, exclusively by at least one of them"
    )]
    Writers {
        /// The type.
        ty: &'static str,
        /// The namespace.
        namespace: &'static str,
        /// Who was registered first.
        first: &'static str,
        /// Who is refused.
        second: &'static str,
    },
    /// An output is declared twice by the same controller.
    #[error("{name} declares its output {ty} in {namespace} twice")]
    Twice {
        /// The controller.
        name: &'static str,
        /// The type.
        ty: &'static str,
        /// The namespace.
        namespace: &'static str,
    },
    /// A remote runtime cannot hold resources: the wire has no such transaction yet.
    #[error("{name} wants to hold {ty}, which a remote runtime does not offer")]
    RemoteHold {
        /// The controller.
        name: &'static str,
        /// The type.
        ty: &'static str,
    },
}

/// A controller's place in the graph, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: &'static str,
    /// What it is woken by.
    pub inputs: &'static [Input],
    /// What it writes.
    pub outputs: &'static [Output],
}

impl Node {
    /// The place of this controller.
    #[must_use]
    pub const fn of<C: Declare>() -> Self {
        Self {
            name: C::NAME,
            inputs: C::INPUTS,
            outputs: C::OUTPUTS,
        }
    }
}

/// An edge between a controller and a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The controller.
    pub controller: &'static str,
    /// The namespace.
    pub namespace: &'static str,
    /// The type.
    pub ty: &'static str,
    /// `reads`, `holds`, `writes` or `shares`, as it was declared.
    pub kind: &'static str,
}

/// The controllers of one or several runtimes and the kinds between them.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    /// Adds a controller.
    ///
    /// # Errors
    /// When its name is taken or an exclusive output would have two writers; the graph is unchanged then.
    pub fn add(&mut self, node: Node) -> Result<(), RegisterError> {
        if self.nodes.iter().any(|other| other.name == node.name) {
            return Err(RegisterError::Name { name: node.name });
        }
        let mut seen = BTreeSet::new();
        for output in node.outputs {
            if !seen.insert((output.namespace, output.ty)) {
                return Err(RegisterError::Twice {
                    name: node.name,
                    ty: output.ty,
                    namespace: output.namespace,
                });
            }
            self.check_writer(node.name, output)?;
        }
        self.nodes.push(node);
        Ok(())
    }

    fn check_writer(&self, second: &'static str, output: &Output) -> Result<(), RegisterError> {
        let clash = self.nodes.iter().find(|node| {
            node.outputs.iter().any(|other| {
                other.ty == output.ty
                    && other.namespace == output.namespace
                    && (other.kind == OutputKind::Exclusive || output.kind == OutputKind::Exclusive)
            })
        });
        match clash {
            None => Ok(()),
            Some(first) => Err(RegisterError::Writers {
                ty: output.ty,
                namespace: output.namespace,
                first: first.name,
                second,
            }),
        }
    }

    /// The controllers, in the order they were added.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All edges, sorted.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self.nodes.iter().flat_map(edges).collect();
        edges.sort_unstable();
        edges
    }

    /// The picture in mermaid's words: kinds as boxes, controllers as rounded ones.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for edge in self.edges() {
            let controller = format!("{}([{}])", id(edge.controller), edge.controller);
            let kind = format!(
                "{}_{}[\"{}<br>{}\"]",
                id(edge.namespace),
                id(edge.ty),
                edge.ty,
                edge.namespace
            );
            let line = match edge.kind {
                "reads" => format!("{kind} --> {controller}"),
                "holds" => format!("{kind} ==> {controller}"),
                "shares" => format!("{controller} -.-> {kind}"),
                _ => format!("{controller} --> {kind}"),
            };
            text.push_str("    ");
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

/// A name as mermaid takes it for a node.
fn id(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// One edge per line, sorted.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for edge in self.edges() {
            writeln!(
                f,
                "{} {} {}/{}",
                edge.controller, edge.kind, edge.namespace, edge.ty
            )?;
        }
        Ok(())
    }
}

fn edges(node: &Node) -> impl Iterator<Item = Edge> {
    let edge = |namespace, ty, kind| Edge {
        controller: node.name,
        namespace,
        ty,
        kind,
    };
    let inputs = node.inputs.iter().map(move |input| {
        let kind = match input.kind {
            InputKind::Weak => "reads",
            InputKind::Strong => "holds",
        };
        edge(input.namespace, input.ty, kind)
    });
    let outputs = node.outputs.iter().map(move |output| {
        let kind = match output.kind {
            OutputKind::Exclusive => "writes",
            OutputKind::Shared => "shares",
        };
        edge(output.namespace, output.ty, kind)
    });
    inputs.chain(outputs)
}
