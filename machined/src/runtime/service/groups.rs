//! Control groups of services: one each, so that all a service has started is found, held to its limits and ended
//! together.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::rules::{Limits, Name};

/// Controllers for the groups below; one that the kernel lacks is passed over.
const CONTROLLERS: [&str; 5] = ["+cpuset", "+cpu", "+io", "+memory", "+pids"];

/// Where the processes of services are, each service's by itself.
pub(super) trait Groups: fmt::Debug + Send {
    /// Makes the group if there is none, and gives the file through which a process joins it.
    fn make(&self, name: &Name) -> io::Result<Option<File>>;

    /// Holds a group to limits; says which the kernel does not take.
    fn limit(&self, name: &Name, limits: &Limits) -> Vec<String>;

    /// How many processes of a group the kernel has killed as it had no memory for them.
    fn starved(&self, name: &Name) -> u64;

    /// The processes of a group; none where there is no group.
    fn pids(&self, name: &Name) -> io::Result<Vec<u32>>;

    /// Ends all processes of a group at once, those they start meanwhile too.
    fn kill(&self, name: &Name) -> io::Result<()>;

    /// Removes a group without processes.
    fn remove(&self, name: &Name) -> io::Result<()>;

    /// The groups there are.
    fn names(&self) -> io::Result<Vec<Name>>;
}

/// The kernel's own.
#[derive(Debug)]
pub(super) struct Cgroups {
    folder: PathBuf,
}

impl Cgroups {
    /// Groups in a folder of a mounted cgroup v2, which is made with the first of them.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn make_folder(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        // A life that was cut short may have made the folder and no more.
        let control = self.folder.join("cgroup.subtree_control");
        let there = fs::read_to_string(&control).unwrap_or_default();
        let there: Vec<_> = there.split_whitespace().collect();
        for controller in CONTROLLERS {
            if !there.contains(&controller.trim_start_matches('+')) {
                // Without it there are groups all the same; who sets a limit is told.
                fs::write(&control, controller).ok();
            }
        }
        Ok(())
    }

    /// Keeps as much memory for all of them as they are to have together: the kernel keeps no more for a group than for the
    /// one that it is in.
    fn keep_memory(&self) -> io::Result<()> {
        let (mut sum, file) = (0_u64, "memory.min");
        for name in self.names()? {
            let own = fs::read_to_string(self.group(&name).join(file)).unwrap_or_default();
            sum = sum.saturating_add(own.trim_end().parse().unwrap_or(0));
        }
        let (path, sum) = (self.folder.join(file), sum.to_string());
        let now = fs::read_to_string(&path)?;
        if now.trim_end() == sum {
            return Ok(());
        }
        fs::write(&path, sum)
    }

    fn group(&self, name: &Name) -> PathBuf {
        self.folder.join(name.as_str())
    }
}

impl Groups for Cgroups {
    fn make(&self, name: &Name) -> io::Result<Option<File>> {
        self.make_folder()?;
        let group = self.group(name);
        match fs::create_dir(&group) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let procs = group.join("cgroup.procs");
        OpenOptions::new().write(true).open(procs).map(Some)
    }

    fn limit(&self, name: &Name, limits: &Limits) -> Vec<String> {
        let group = self.group(name);
        let refused = limits.iter().filter_map(|(file, value)| {
            let path = group.join(file);
            // The kernel writes a limit as it was given, or rounded to pages.
            let now = fs::read_to_string(&path).unwrap_or_default();
            if now.trim_end() == value {
                return None;
            }
            let error = fs::write(&path, value).err()?;
            Some(format!("{file}={value}: {error}"))
        });
        let mut refused: Vec<_> = refused.collect();
        match self.keep_memory() {
            // This kernel counts no memory, which was said just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => refused.push(format!("memory.min for all services: {error}")),
            Ok(()) => {}
        }
        refused
    }

    fn starved(&self, name: &Name) -> u64 {
        let events = fs::read_to_string(self.group(name).join("memory.events"));
        events.as_deref().map_or(0, oom_kills)
    }

    fn pids(&self, name: &Name) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        collect(&self.group(name), &mut pids)?;
        Ok(pids)
    }

    fn kill(&self, name: &Name) -> io::Result<()> {
        fs::write(self.group(name).join("cgroup.kill"), "1")
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        remove(&self.group(name))
    }

    fn names(&self) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir()
                && let Some(name) = entry.file_name().to_str().and_then(|it| it.parse().ok())
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The count of kills among the events of a group's memory (admin-guide/cgroup-v2.rst, "memory.events").
fn oom_kills(events: &str) -> u64 {
    let count = events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|it| it.trim().parse().ok()).unwrap_or(0)
}

/// The processes of a group and of those made in it.
fn collect(group: &Path, pids: &mut Vec<u32>) -> io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), pids)?;
        }
    }
    let text = match fs::read_to_string(group.join("cgroup.procs")) {
        // It was removed meanwhile, or is one of threads, which are listed above it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => return Ok(()),
        text => text?,
    };
    pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    Ok(())
}

/// Removes a group with those that its processes have made in it.
fn remove(group: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_for_memory_are_counted_and_other_events_are_not() {
        let events = "low 0\nhigh 7\nmax 31\noom 3\noom_kill 2\noom_group_kill 0\n";
        assert_eq!(oom_kills(events), 2);
        assert_eq!(oom_kills("low 0\noom_group_kill 4\n"), 0);
    }

    #[test]
    fn memory_is_kept_for_all_as_for_each() {
        let folder = tempfile::tempdir().expect("a folder");
        let groups = Cgroups::new(folder.path().to_owned());
        let kept = folder.path().join("memory.min");
        fs::write(&kept, "0\n").expect("as the kernel has it");
        let name = |text: &str| text.parse::<Name>().expect("a name");
        for (service, bytes) in [("one", "4096"), ("two", "8192"), ("one", "12288")] {
            groups.make(&name(service)).ok();
            let refused = groups.limit(&name(service), &vec![("memory.min", bytes.to_owned())]);
            assert_eq!(refused, [""; 0]);
        }
        assert_eq!(fs::read_to_string(&kept).expect("there"), "20480");
    }

    #[test]
    fn a_folder_that_a_life_before_only_made_gets_its_controllers() {
        let folder = tempfile::tempdir().expect("a folder");
        let groups = Cgroups::new(folder.path().to_owned());
        groups.make_folder().expect("made");
        let control = folder.path().join("cgroup.subtree_control");
        let last = fs::read_to_string(&control).expect("written");
        assert_eq!(Some(last.as_str()), CONTROLLERS.last().copied());
        fs::write(&control, "cpuset cpu io memory pids\n").expect("as the kernel tells it");
        groups.make_folder().expect("made");
        let left = fs::read_to_string(&control).expect("there");
        assert_eq!(left, "cpuset cpu io memory pids\n");
    }
}
