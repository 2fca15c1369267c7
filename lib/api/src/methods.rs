//! The list of methods that a descriptor set serves.
//!
//! The authorisation table is held against this list, so a method cannot come into being without a rule. It reads compiled
//! descriptors only, never .proto text.

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

/// The bytes were not a descriptor set.
#[derive(Debug, thiserror::Error)]
#[error("decode the descriptors of the served methods; the build that made them is broken")]
pub struct DescriptorError(#[from] prost::DecodeError);

/// Every method of every service in `set`, as the path a call carries (`/package.Service/Method`), sorted.
///
/// # Errors
/// When `set` is not an encoded `google.protobuf.FileDescriptorSet`.
pub fn methods(set: &[u8]) -> Result<Vec<String>, DescriptorError> {
    those(set, |_| true)
}

/// Those of them that answer with any number of messages.
///
/// # Errors
/// As [`methods`].
pub fn streaming(set: &[u8]) -> Result<Vec<String>, DescriptorError> {
    those(set, MethodDescriptorProto::server_streaming)
}

fn those(
    set: &[u8],
    wanted: impl Fn(&MethodDescriptorProto) -> bool,
) -> Result<Vec<String>, DescriptorError> {
    let set = FileDescriptorSet::decode(set)?;
    let mut paths = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in service.method.iter().filter(|it| wanted(it)) {
                paths.push(format!(
                    "/{}.{}/{}",
                    file.package(),
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::{methods, streaming};

    #[test]
    fn lists_the_methods_of_both_services() {
        let all = methods(crate::FILE_DESCRIPTOR_SET).unwrap();
        assert_eq!(all.len(), 50, "{all:?}");
        assert!(all.contains(&"/garboard.machine.v1alpha1.MachineService/Version".to_owned()));
        assert!(all.contains(&"/garboard.machine.v1alpha1.MaintenanceService/Pair".to_owned()));
    }

    #[test]
    fn refuses_what_is_no_descriptor_set() {
        assert!(methods(b"\xff\xff\xff").is_err());
    }

    #[test]
    fn knows_which_answers_go_on() {
        let all = streaming(crate::FILE_DESCRIPTOR_SET).unwrap();
        let has = |name: &str| all.iter().any(|it| it.ends_with(name));
        assert!(
            has("/Logs") && has("/Events") && has("/ReadFile"),
            "{all:?}"
        );
        assert!(!has("/Version") && !has("/ApplyConfig"), "{all:?}");
    }
}
