//! Starts of services.

use std::io;

use super::{Keeper, Now};
use crate::runtime::service::known::Means;
use crate::runtime::service::rules::{Name, Service};
use crate::runtime::service::seen::Root;
use crate::runtime::service::shared::Shared;

impl Keeper {
    /// Starts a service; the next look tries again while a process of the life before is on its way to be one.
    pub(super) fn start(
        &mut self,
        name: &Name,
        service: &Service,
        shared: &Shared,
        now: Now,
    ) -> io::Result<()> {
        let lock = self.lock()?;
        let known = self.known.entry(name.clone()).or_default();
        let Some(_lock) = lock else {
            return Ok(());
        };
        known.note_image(service);
        known.keep(name, &self.records)?;
        let means = Means {
            shared,
            logs: &self.logs,
            groups: &*self.groups,
            roots: &*self.roots,
            ends: &self.ends,
        };
        let started = known.start(name, service, &means);
        let seen = &mut known.record.seen;
        match started {
            Ok(true) => seen.started(&service.rules, now.boot),
            Ok(false) => seen.strangers_found(),
            Err(error) => {
                seen.not_started(&service.rules, error.to_string(), now.boot);
                // Should what its image was unpacked to be gone, containerd is asked anew.
                seen.root = Root::Nothing;
            }
        }
        known.keep(name, &self.records)
    }

    /// Orders the image of a service to be pulled.
    pub(super) fn pull(&mut self, name: &Name, service: &Service) -> io::Result<()> {
        self.pulled += 1;
        let known = self.known.entry(name.clone()).or_default();
        if let Some(image) = &service.rules.image {
            known.pull(image.clone(), self.pulled);
        }
        Ok(())
    }
}
