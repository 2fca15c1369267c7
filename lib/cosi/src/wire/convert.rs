//! Between the wire's messages and the store's types.
//!
//! Lenient about what may be left out, strict about what is there: a version, a phase or a spec that cannot be read is
//! an error, never a default.

use std::sync::Arc;

use jiff::Timestamp;
use store::codec::DecodeError;
use store::{
    ErasedSpec, FromYamlError, IdQuery, LabelOp, LabelQuery, LabelTerm, Metadata, PatternError,
    PhaseError, Reference, Registry, Resource, Selector, VersionError,
};

use super::proto;
use super::proto::label_term::Operation;

/// Why a message is not a resource.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// There is no resource in the message.
    #[error("the message has no resource")]
    NoResource,
    /// The resource has no metadata.
    #[error("the resource has no metadata")]
    NoMetadata,
    /// The version is not one.
    #[error("the version of {resource}")]
    Version {
        /// Whose.
        resource: Reference,
        /// What is wrong with it.
        #[source]
        source: VersionError,
    },
    /// The phase is not one.
    #[error("the phase of {resource}")]
    Phase {
        /// Whose.
        resource: Reference,
        /// What is wrong with it.
        #[source]
        source: PhaseError,
    },
    /// A time is out of range.
    #[error("a time of {resource}")]
    Time {
        /// Whose.
        resource: Reference,
        /// What is wrong with it.
        #[source]
        source: jiff::Error,
    },
    /// The bytes are not a spec of the type.
    #[error("spec of {ty}")]
    Spec {
        /// The type.
        ty: String,
        /// What is wrong with them.
        #[source]
        source: DecodeError,
    },
    /// The YAML is not a spec of the type.
    #[error("the YAML spec of {ty}")]
    Yaml {
        /// The type.
        ty: String,
        /// What is wrong with it.
        #[source]
        source: FromYamlError,
    },
}

/// Why a query cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The pattern of ids is malformed.
    #[error("id query")]
    Pattern(#[source] PatternError),
    /// The comparison is not one we know.
    #[error("label query: operation {0} is unknown")]
    Operation(i32),
}

fn time(time: Timestamp) -> prost_types::Timestamp {
    // The wire wants nanos that count forward, also before 1970.
    let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    prost_types::Timestamp { seconds, nanos }
}

fn from_time(time: Option<prost_types::Timestamp>) -> Result<Timestamp, jiff::Error> {
    time.map_or(Ok(Timestamp::UNIX_EPOCH), |time| {
        Timestamp::new(time.seconds, time.nanos)
    })
}

fn metadata(metadata: &Metadata) -> proto::Metadata {
    proto::Metadata {
        namespace: metadata.namespace.to_string(),
        r#type: metadata.ty.to_string(),
        id: metadata.id.to_string(),
        version: metadata.version.to_string(),
        owner: metadata.owner.to_string(),
        phase: metadata.phase.to_string(),
        created: Some(time(metadata.created)),
        updated: Some(time(metadata.updated)),
        finalizers: metadata.finalizers.names().to_vec(),
        labels: metadata.labels.clone(),
        annotations: metadata.annotations.clone(),
    }
}

/// A stored resource as the wire has it. A spec without a YAML form travels as bytes alone.
pub(crate) fn resource(resource: &Resource) -> proto::Resource {
    proto::Resource {
        metadata: Some(metadata(&resource.metadata)),
        spec: Some(proto::Spec {
            proto_spec: resource.spec.proto().to_vec(),
            yaml_spec: resource.spec.yaml().unwrap_or_default().to_owned(),
        }),
    }
}

/// What stands for a resource that is not there.
pub(crate) fn tombstone(namespace: &str, ty: &str, id: &str, now: Timestamp) -> proto::Resource {
    let mut absent = Metadata::new(namespace, ty, id);
    absent.created = now;
    absent.updated = now;
    proto::Resource {
        metadata: Some(metadata(&absent)),
        spec: Some(proto::Spec::default()),
    }
}

/// A resource from the wire. A type the registry does not know keeps its bytes and YAML as they are.
pub(crate) fn from_resource(
    resource: Option<proto::Resource>,
    registry: &Registry,
) -> Result<Resource, ConvertError> {
    let proto::Resource { metadata, spec } = resource.ok_or(ConvertError::NoResource)?;
    let metadata = from_metadata(metadata.ok_or(ConvertError::NoMetadata)?)?;
    let spec = from_spec(&metadata.ty, spec.unwrap_or_default(), registry)?;
    Ok(Resource { metadata, spec })
}

/// Metadata from the wire.
pub(crate) fn from_metadata(metadata: proto::Metadata) -> Result<Metadata, ConvertError> {
    let reference = Reference::new(metadata.namespace, metadata.r#type, metadata.id);
    let resource = || reference.clone();
    let version = match &*metadata.version {
        "" => store::Version::UNDEFINED,
        text => text.parse().map_err(|source| ConvertError::Version {
            resource: resource(),
            source,
        })?,
    };
    let phase = match &*metadata.phase {
        "" => store::Phase::Running,
        text => text.parse().map_err(|source| ConvertError::Phase {
            resource: resource(),
            source,
        })?,
    };
    let time = |time| {
        from_time(time).map_err(|source| ConvertError::Time {
            resource: resource(),
            source,
        })
    };
    let (created, updated) = (time(metadata.created)?, time(metadata.updated)?);
    let Reference { namespace, ty, id } = reference;
    Ok(Metadata {
        namespace,
        ty,
        id,
        version,
        owner: Arc::from(metadata.owner),
        phase,
        finalizers: metadata.finalizers.iter().collect(),
        labels: metadata.labels,
        annotations: metadata.annotations,
        created,
        updated,
    })
}

fn from_spec(ty: &str, spec: proto::Spec, registry: &Registry) -> Result<ErasedSpec, ConvertError> {
    // Tools that know a type by its YAML alone send no bytes.
    if spec.proto_spec.is_empty()
        && !spec.yaml_spec.is_empty()
        && let Some(known) = registry.from_yaml(ty, &spec.yaml_spec)
    {
        return known.map_err(|source| ConvertError::Yaml {
            ty: ty.to_owned(),
            source,
        });
    }
    registry
        .decode(ty, &spec.proto_spec, &spec.yaml_spec)
        .map_err(|source| ConvertError::Spec {
            ty: ty.to_owned(),
            source,
        })
}

/// A selector from the wire.
pub(crate) fn from_query(
    labels: Vec<proto::LabelQuery>,
    ids: Option<proto::IdQuery>,
) -> Result<Selector, QueryError> {
    let labels = labels
        .into_iter()
        .map(|query| {
            let terms: Result<_, _> = query.terms.into_iter().map(from_term).collect();
            Ok(LabelQuery { terms: terms? })
        })
        .collect::<Result<_, _>>()?;
    let ids = ids
        .filter(|query| !query.regexp.is_empty())
        .map(|query| IdQuery::new(&query.regexp))
        .transpose()
        .map_err(QueryError::Pattern)?;
    Ok(Selector { labels, ids })
}

fn from_term(term: proto::LabelTerm) -> Result<LabelTerm, QueryError> {
    let operation = Operation::try_from(term.op).map_err(|_| QueryError::Operation(term.op))?;
    // A comparison without a value compares with nothing, which no label equals or is below.
    let first = || term.value.first().cloned().unwrap_or_default();
    let op = match operation {
        Operation::Exists | Operation::NotExists => LabelOp::Exists,
        Operation::Equal => LabelOp::Equal(first()),
        Operation::In => LabelOp::In(term.value.clone()),
        Operation::Lt => LabelOp::Lt(first()),
        Operation::Lte => LabelOp::Lte(first()),
        Operation::LtNumeric => LabelOp::LtNumeric(first()),
        Operation::LteNumeric => LabelOp::LteNumeric(first()),
    };
    Ok(LabelTerm {
        key: term.key,
        op,
        invert: term.invert != (operation == Operation::NotExists),
    })
}

/// A label query as the wire has it.
pub(crate) fn label_query(query: &LabelQuery) -> proto::LabelQuery {
    proto::LabelQuery {
        terms: query.terms.iter().map(term).collect(),
    }
}

fn term(term: &LabelTerm) -> proto::LabelTerm {
    let (op, value) = match &term.op {
        LabelOp::Exists => (Operation::Exists, Vec::new()),
        LabelOp::Equal(value) => (Operation::Equal, vec![value.clone()]),
        LabelOp::In(values) => (Operation::In, values.clone()),
        LabelOp::Lt(value) => (Operation::Lt, vec![value.clone()]),
        LabelOp::Lte(value) => (Operation::Lte, vec![value.clone()]),
        LabelOp::LtNumeric(value) => (Operation::LtNumeric, vec![value.clone()]),
        LabelOp::LteNumeric(value) => (Operation::LteNumeric, vec![value.clone()]),
    };
    proto::LabelTerm {
        key: term.key.clone(),
        op: op.into(),
        value,
        invert: term.invert,
    }
}
