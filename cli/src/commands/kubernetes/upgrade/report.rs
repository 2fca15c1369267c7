//! What was done, or would be, for people and programs.

use anyhow::Result;
use api::v1alpha1::{ApplyConfigResponse, Workload};
use serde::Serialize;

use super::act::is_other;
use super::draft::Draft;
use super::plan::{Plan, Todo};
use crate::output::{self, Format};

/// An object of the cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    name: &'a str,
    image: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    wanted: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    left: &'a str,
}

impl<'a> From<&'a Workload> for Object<'a> {
    fn from(workload: &'a Workload) -> Self {
        Self {
            name: &workload.name,
            image: &workload.image,
            wanted: &workload.wanted,
            left: &workload.left,
        }
    }
}

/// What was done.
#[derive(Serialize)]
struct Done<'a> {
    to: String,
    nodes: &'a [Todo],
    workloads: Vec<Object<'a>>,
}

/// Shows what was done: nodes, and what the cluster runs of its own.
pub(super) fn done(plan: &Plan, workloads: &[Workload], format: Format) -> Result<()> {
    if format != Format::Table {
        let value = Done {
            to: plan.to.to_string(),
            nodes: &plan.todo,
            workloads: workloads.iter().map(Object::from).collect(),
        };
        return output::value(format, &value);
    }
    for it in workloads.iter().filter(|it| !it.left.is_empty()) {
        output::note(&left(it));
    }
    output::line(&sentence(plan))
}

fn left(it: &Workload) -> String {
    let has = if it.image.is_empty() {
        String::new()
    } else {
        format!(" with {}", it.image)
    };
    format!("{} is left as it is{has}: {}", it.name, it.left)
}

fn sentence(plan: &Plan) -> String {
    let to = plan.to;
    match (plan.whole, plan.todo.as_slice()) {
        (false, _) => format!(
            "the API servers of these nodes are {to}; kubelets follow when all of the control plane are: name the other nodes too"
        ),
        (true, []) => format!("all of it is {to} already"),
        (true, _) => format!("Kubernetes is {to}"),
    }
}

/// A config that would be given.
#[derive(Serialize)]
struct Given<'a> {
    node: &'a str,
    changes: &'a [String],
    warnings: &'a [String],
    diff: &'a str,
}

/// What would be done.
#[derive(Serialize)]
struct Would<'a> {
    to: String,
    steps: Vec<String>,
    configs: Vec<Given<'a>>,
    workloads: Vec<Object<'a>>,
}

/// The steps, each a line.
fn steps(plan: &Plan, workloads: &[Workload]) -> Vec<String> {
    let to = plan.to;
    let mut steps = Vec::new();
    let names = |todo: &mut dyn Iterator<Item = &Todo>| {
        todo.map(|it| it.node.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let all = names(&mut plan.todo.iter());
    if !all.is_empty() {
        steps.push(format!("fetch the images of {to} on {all}"));
    }
    steps.extend(plan.of(true).map(|it| {
        format!(
            "{}: API server from {} to {to}, once etcd is well",
            it.node, it.from
        )
    }));
    if !plan.whole {
        return steps;
    }
    let planes = names(&mut plan.of(true));
    if !planes.is_empty() {
        steps.push(format!("{planes}: controller manager, scheduler and kubelet to {to}, by themselves when all API servers are"));
    }
    steps.extend(
        workloads
            .iter()
            .filter(|it| is_other(it))
            .map(|it| format!("{}: from {} to {}", it.name, it.image, it.wanted)),
    );
    steps.extend(
        plan.of(false)
            .map(|it| format!("{}: kubelet from {} to {to}", it.node, it.from)),
    );
    steps
}

/// Shows what would be done.
pub(super) fn would(
    plan: &Plan,
    drafts: &[(String, Draft, ApplyConfigResponse)],
    workloads: &[Workload],
    format: Format,
) -> Result<()> {
    let steps = steps(plan, workloads);
    if format != Format::Table {
        let configs = drafts.iter().map(|(node, draft, told)| Given {
            node,
            changes: &told.changes,
            warnings: &told.warnings,
            diff: &draft.diff,
        });
        let value = Would {
            to: plan.to.to_string(),
            steps,
            configs: configs.collect(),
            workloads: workloads.iter().map(Object::from).collect(),
        };
        return output::value(format, &value);
    }
    if steps.is_empty() {
        return output::line(&sentence(plan));
    }
    for (number, step) in (1..).zip(&steps) {
        output::line(&format!("{number}. {step}"))?;
    }
    for it in workloads.iter().filter(|it| !it.left.is_empty()) {
        output::line(&left(it))?;
    }
    for (node, draft, told) in drafts {
        output::line(&format!("\n{node}:"))?;
        output::raw(draft.diff.as_bytes())?;
        for warning in &told.warnings {
            output::note(&format!("{node}: note: {}", output::printable(warning)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn todo(node: &str, control_plane: bool) -> Todo {
        Todo {
            node: node.to_owned(),
            control_plane,
            from: "1.36.3".to_owned(),
            config: true,
        }
    }

    #[test]
    fn the_steps_are_told_in_their_order() {
        let plan = Plan {
            to: "1.37.1".parse().expect("a version"),
            planes: vec!["cp-1".to_owned()],
            todo: vec![todo("cp-1", true), todo("worker-1", false)],
            whole: true,
        };
        let proxy = Workload {
            name: "DaemonSet kube-system/kube-proxy".to_owned(),
            image: "a:v1.36.3".to_owned(),
            wanted: "a:v1.37.1".to_owned(),
            ..Workload::default()
        };
        let told = steps(&plan, &[proxy]);
        let begins = [
            "fetch the images of 1.37.1 on cp-1, worker-1",
            "cp-1: API server from 1.36.3 to 1.37.1",
            "cp-1: controller manager, scheduler and kubelet",
            "DaemonSet kube-system/kube-proxy: from a:v1.36.3 to a:v1.37.1",
            "worker-1: kubelet from 1.36.3 to 1.37.1",
        ];
        assert_eq!(told.len(), begins.len(), "{told:?}");
        for (told, begin) in told.iter().zip(begins) {
            assert!(told.starts_with(begin), "{told}");
        }
        let part = Plan {
            whole: false,
            ..plan
        };
        assert!(sentence(&part).contains("name the other nodes too"));
        let nothing = Plan {
            whole: true,
            todo: Vec::new(),
            ..part
        };
        assert_eq!(sentence(&nothing), "all of it is 1.37.1 already");
    }

    #[test]
    fn what_is_left_is_told_with_the_reason() {
        let mut own = Workload {
            name: "DaemonSet kube-system/kube-proxy".to_owned(),
            image: "own:1".to_owned(),
            left: "somebody gave it this image".to_owned(),
            ..Workload::default()
        };
        assert_eq!(
            left(&own),
            "DaemonSet kube-system/kube-proxy is left as it is with own:1: somebody gave it this image"
        );
        own.image.clear();
        assert!(left(&own).contains("is left as it is: "));
    }
}
