//! A session with upstream, once its contents are here: events in, calls out, until something breaks.
//!
//! One task does both, so nothing here is shared. Calls are under way while events are taken: upstream must never wait
//! for us to read before it can answer.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use store::{Reference, Resource, Spec};
use tokio::sync::watch;
use tokio::time::Instant;

use super::batches::{Batches, End};
use super::bridge::{Bridge, Upstream};
use super::push::{Answer, Call, Told, perform, plan};
use crate::backoff::Backoff;
use crate::error::report;
use crate::status::{self, RuntimeStatus};
use crate::wire::{ClientError, WireEvent};

/// Calls under way.
type Calls = Pin<Box<dyn Future<Output = Vec<Answer>> + Send>>;

pub(crate) struct Session<'a> {
    bridge: &'a mut Bridge,
    /// Upstream's status, as it was when the contents were read.
    upstream: Upstream,
    calls: Option<Calls>,
    /// Keys whose call was refused, to be looked at again at `retry_at`.
    refused: BTreeSet<Reference>,
    retry_at: Option<Instant>,
    backoff: Backoff,
    rests: watch::Receiver<u64>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(bridge: &'a mut Bridge, upstream: Upstream) -> Self {
        let rests = bridge.shared.board.rests();
        Self {
            bridge,
            upstream,
            calls: None,
            refused: BTreeSet::new(),
            retry_at: None,
            backoff: Backoff::default(),
            rests,
        }
    }

    /// Ends only when something is broken. Calls under way are cut off then: whether upstream has heard them is seen
    /// in the next session.
    pub(crate) async fn run(&mut self, batches: &mut SelectAll<Batches>) -> End {
        loop {
            self.begin_calls();
            let idle = self.calls.is_none();
            let outbox = Arc::clone(&self.bridge.outbox);
            tokio::select! {
                biased;
                batch = batches.next() => match batch.unwrap_or(Err(End::Ended)) {
                    Ok(events) => {
                        if let Err(end) = self.take(events) {
                            return end;
                        }
                    }
                    Err(end) => return end,
                },
                answers = answered(&mut self.calls) => {
                    self.calls = None;
                    if let Err(end) = self.settle(answers) {
                        return end;
                    }
                }
                () = outbox.filled(), if idle => {}
                // Fails only when the board is gone, and the bridge holds it.
                _ = self.rests.changed(), if idle => {}
                () = until(self.retry_at) => {
                    self.retry_at = None;
                    outbox.add(std::mem::take(&mut self.refused));
                }
            }
        }
    }

    /// Takes what a watch has told.
    fn take(&mut self, events: Vec<WireEvent>) -> Result<(), End> {
        let told = |event: &WireEvent| match event {
            WireEvent::Created(resource) | WireEvent::Updated { new: resource, .. } => {
                self.bridge.is_news(resource, &self.upstream)
            }
            _ => false,
        };
        let news = events.iter().any(told);
        let now = self.bridge.shared.clock.now();
        let touched = self.bridge.mirror.change(events, now);
        self.bridge.outbox.add(touched);
        if news { Err(End::News) } else { Ok(()) }
    }

    /// Begins the calls that the outbox asks for, when none are under way.
    fn begin_calls(&mut self) {
        if self.calls.is_some() {
            return;
        }
        // Before the outbox: a run fills it before it is counted as ended.
        let at_rest = self.bridge.shared.board.is_at_rest();
        let keys = self.bridge.outbox.take();
        let snapshot = self.bridge.shared.store.snapshot();
        let own = self.own_status();
        let mirror = &self.bridge.mirror;
        let mut calls: Vec<Call> = keys
            .iter()
            .filter(|key| **key != own)
            .filter_map(|key| {
                let here = snapshot
                    .find(key)
                    .filter(|entry| mirror.is_ours(&entry.metadata.owner));
                plan(here, mirror.ours.get(key))
            })
            .collect();
        if calls.is_empty() && at_rest && self.refused.is_empty() {
            // Everything we have said is there: upstream may count on it.
            calls.extend(self.say_settled(&own));
        }
        if !calls.is_empty() {
            tracing::debug!(calls = calls.len(), "push");
            self.calls = Some(Box::pin(perform(self.bridge.client.clone(), calls)));
        }
    }

    /// The call that says we have settled in upstream's epoch; `None` when it was said, or there is no epoch yet.
    fn say_settled(&self, own: &Reference) -> Option<Call> {
        let status = RuntimeStatus {
            epoch: self.upstream.as_ref()?.epoch,
            settled: true,
        };
        let mut resource = Resource::in_default(&*own.id, status);
        resource.metadata.owner = Arc::clone(&self.bridge.shared.name);
        match self.bridge.mirror.ours.get(own) {
            None => Some(Call::Create(resource)),
            Some(there) if there.spec.proto() == resource.spec.proto() => None,
            Some(there) => {
                resource.metadata = there.metadata.clone();
                Some(Call::Update(resource))
            }
        }
    }

    fn own_status(&self) -> Reference {
        Reference::new(
            status::NAMESPACE,
            RuntimeStatus::DEFINITION.ty,
            Arc::clone(&self.bridge.shared.name),
        )
    }

    /// Notes how the calls went.
    fn settle(&mut self, answers: Vec<Answer>) -> Result<(), End> {
        for Answer { reference, result } in answers {
            match result {
                Ok(Told::Stored(resource)) => self.bridge.mirror.note(*resource, false),
                Ok(Told::Gone) => {
                    self.bridge.mirror.ours.remove(&reference);
                }
                Ok(Told::Changed) => {}
                Err(error) if error.is_unreachable() => return Err(End::Broken(error)),
                Err(error) => {
                    if matches!(error, ClientError::NotFound(_)) {
                        self.bridge.mirror.ours.remove(&reference);
                    }
                    tracing::warn!(%reference, error = %report(&error), "push refused");
                    self.refused.insert(reference);
                }
            }
        }
        if self.refused.is_empty() {
            self.backoff.reset();
        } else if self.retry_at.is_none() {
            self.retry_at = Some(Instant::now() + self.backoff.fail());
        }
        Ok(())
    }
}

async fn answered(calls: &mut Option<Calls>) -> Vec<Answer> {
    match calls {
        Some(calls) => calls.await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
