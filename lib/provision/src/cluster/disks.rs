//! The disks that are of one machine alone.

use std::path::PathBuf;

use serde_json::json;

use crate::argv::{disk_device, disk_file, disk_node, record_file};
use crate::cluster::{Cluster, ClusterError};
use crate::disk::{self, DiskError};
use crate::name::Name;
use crate::state::Vm;

impl Cluster {
    /// The file behind a disk of a machine's own, a raw image. `number` counts all its disks, from 0 on. Who changes it
    /// while the machine is on, damages it.
    ///
    /// # Errors
    /// When there is no such disk.
    pub fn disk(&self, vm: &Name, number: usize) -> Result<PathBuf, ClusterError> {
        disk::own(&self.vm(vm)?.spec, number)?;
        Ok(self.path.join(disk_file(vm, number)))
    }

    /// The file with every write, flush and discard of a disk that is recorded, over all starts of its machine; its end
    /// is sure when the machine has been switched off by itself.
    ///
    /// # Errors
    /// When there is no such disk, or it is not recorded.
    pub fn disk_record(&self, vm: &Name, number: usize) -> Result<PathBuf, ClusterError> {
        if !disk::own(&self.vm(vm)?.spec, number)?.record {
            let vm = vm.clone();
            return Err(DiskError::NoRecord { vm, number }.into());
        }
        Ok(self.path.join(record_file(vm, number)))
    }

    /// Makes a disk of a machine that is off larger, to so many bytes; what is new of it is full of zeros.
    ///
    /// # Errors
    /// When there is no such disk, it would shrink, or the machine is on.
    pub fn grow_disk(&mut self, vm: &Name, number: usize, size: u64) -> Result<(), ClusterError> {
        disk::own(&self.vm(vm)?.spec, number)?;
        self.change(vm, |folder, state| {
            if state.vm(vm).is_some_and(Vm::alive) {
                return Err(DiskError::On { vm: vm.clone() }.into());
            }
            if let Some(vm) = state.vm_mut(vm) {
                disk::grow(folder, &mut vm.spec, number, size)?;
            }
            Ok(())
        })
    }

    /// Lets a virtio disk of a machine that is on fail every write and flush with an input/output error, as a disk does that
    /// has no sound sectors left; what was written before can still be read. With `failing` false it is sound again, as it
    /// is after the machine was switched off and on.
    ///
    /// # Errors
    /// When there is no such disk, the machine is off, or QEMU refuses.
    pub fn fail_disk(
        &mut self,
        vm: &Name,
        number: usize,
        failing: bool,
    ) -> Result<(), ClusterError> {
        /// Input/output error (errno(3)).
        const EIO: u8 = 5;
        disk::own(&self.vm(vm)?.spec, number)?;
        let sound = disk_node(number);
        let broken = format!("{sound}-failing");
        let rule = |kind| json!({"event": "none", "iotype": kind, "errno": EIO});
        let see = |node: &str| {
            let path = format!("/machine/peripheral/{}", disk_device(number));
            let arguments = json!({"path": path, "property": "drive", "value": node});
            ("qom-set", arguments)
        };
        let steps = if failing {
            let rules = ["write", "write-zeroes", "discard", "flush"].map(rule);
            let layer = json!({
                "driver": "blkdebug", "node-name": broken, "image": sound, "inject-error": rules,
            });
            [("blockdev-add", layer), see(&broken)]
        } else {
            let layer = json!({"node-name": broken});
            [see(&sound), ("blockdev-del", layer)]
        };
        let mut steps = steps.into_iter();
        steps.try_for_each(|(command, arguments)| self.control(vm, command, arguments))
    }
}
