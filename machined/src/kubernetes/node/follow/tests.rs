//! Against a server that answers as told.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::kubernetes::client::fake::{Answer, serve};

fn node(name: &str) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": "5"}})
}

fn list(version: &str, more: Option<&str>, names: &[&str]) -> Answer {
    let items: Vec<_> = names.iter().map(|it| node(it)).collect();
    Answer::of(json!({"metadata": {"resourceVersion": version, "continue": more}, "items": items}))
}

fn said(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

/// Answers each path once, in turn; who asks for more waits. What is known when `is` has come true, and what was asked.
async fn after(
    answers: Vec<(&'static str, Answer)>,
    is: impl Fn(&Known) -> bool,
) -> (Known, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (heard, left) = (Arc::clone(&asked), Mutex::new(answers));
    let server = serve(folder.path(), move |request| {
        heard.lock().unwrap().push(request.path.clone());
        let mut left = left.lock().unwrap();
        if left.is_empty() {
            return Answer::watch(Vec::new(), true);
        }
        let (path, answer) = left.remove(0);
        assert!(request.path.contains(path), "{} is no {path}", request.path);
        answer
    })
    .await;
    let asker = Asker::of(folder.path().to_owned(), server.address);
    let (known, mut seen) = watch::channel(Known::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(asker, "b".to_owned(), known));
    let known = seen.wait_for(is).await.unwrap().clone();
    let asked = asked.lock().unwrap().clone();
    (known, asked)
}

fn names(known: &Known) -> String {
    Vec::from_iter(known.nodes.keys().map(String::as_str)).join(" ")
}

#[tokio::test]
async fn all_parts_of_the_list_count_and_what_happens_after_it() {
    let (known, asked) = after(
        vec![
            ("limit=100", list("3", Some("x/y=="), &["a"])),
            ("continue=x%2Fy%3D%3D", list("3", None, &["b"])),
            (
                "resourceVersion=3",
                Answer::watch(vec![said("ADDED", node("c"))], false),
            ),
            // A watch that ends is gone on with.
            (
                "resourceVersion=5",
                Answer::watch(vec![said("DELETED", node("a"))], true),
            ),
        ],
        |known| names(known) == "b c",
    )
    .await;
    assert!(known.own.is_some() && known.fault.is_none());
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[tokio::test]
async fn what_is_too_old_is_listed_anew() {
    let old = said("ERROR", json!({"code": 410, "message": "too old"}));
    let (known, _) = after(
        vec![
            ("limit=100", list("3", None, &["a", "b"])),
            ("watch=true", Answer::watch(vec![old], false)),
            ("limit=100", list("9", None, &["b", "d"])),
            ("resourceVersion=9", Answer::refused(410, "too old")),
            ("limit=100", list("10", None, &["b", "e"])),
        ],
        |known| names(known) == "b e",
    )
    .await;
    assert_eq!(known.fault, None);
}

#[tokio::test]
async fn who_may_not_ask_for_all_asks_for_its_own_and_for_all_again_later() {
    let forbidden = || Answer::refused(403, "nodes is forbidden");
    let (known, asked) = after(
        vec![
            ("limit=100", forbidden()),
            ("fieldSelector=metadata.name%3Db", list("3", None, &["b"])),
            (
                "fieldSelector=metadata.name%3Db",
                Answer::watch(Vec::new(), false),
            ),
            ("limit=100", list("4", None, &["a", "b"])),
        ],
        |known| names(known) == "a b",
    )
    .await;
    assert_eq!(known.fault, None);
    assert!(asked.len() >= 4, "{asked:?}");
}

#[tokio::test]
async fn what_was_known_holds_while_nobody_answers() {
    let fault = said("ERROR", json!({"code": 500, "message": "etcd is gone"}));
    let (known, _) = after(
        vec![
            ("limit=100", list("3", None, &["a", "b"])),
            ("watch=true", Answer::watch(vec![fault], false)),
            ("limit=100", Answer::refused(503, "shutting down")),
        ],
        |known| {
            known
                .fault
                .as_ref()
                .is_some_and(|it| it.contains("shutting down"))
        },
    )
    .await;
    assert_eq!(names(&known), "a b");
    assert!(known.own.is_some());
}
