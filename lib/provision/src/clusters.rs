//! All clusters of a user: making, finding and removing them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::deadline::Deadline;
use crate::folder::{Folder, FolderError};
use crate::host::Host;
use crate::launch::{LaunchError, Launcher};
use crate::name::Name;
use crate::process::{Process, ProcessError};
use crate::spec::{ClusterSpec, SpecError};
use crate::state::{State, StateError};

/// How long QEMU may take until it answers; it does so in a fraction of a second on an idle host.
const LAUNCH: Duration = Duration::from_secs(60);

/// How long somebody else may be at work on a cluster: a creator that launches, at most.
const LOCK: Duration = Duration::from_secs(90);

/// How long a killed process may stay; it has memory to give back, on a host that may be busy.
const KILL: Duration = Duration::from_secs(30);

/// The folder with all clusters of a user.
#[derive(Clone, Debug)]
pub struct Clusters {
    root: PathBuf,
}

/// What was there to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destroyed {
    /// A cluster with this many processes.
    Cluster {
        /// How many were ended.
        processes: usize,
    },
    /// Nothing: the cluster was gone already.
    Nothing,
}

/// What went wrong with a cluster as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ClustersError {
    /// There is no home folder to keep clusters in.
    #[error("neither XDG_DATA_HOME nor HOME says where to keep clusters")]
    NoHome,
    /// The folder of all clusters cannot be used.
    #[error("cannot use {}", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// One of this name is there already.
    #[error("a cluster {name} exists already; `osctl cluster destroy --name {name}` removes it")]
    Exists {
        /// The name.
        name: Name,
    },
    /// There is none of this name.
    #[error("there is no cluster {name}")]
    Missing {
        /// The name.
        name: Name,
    },
    /// It cannot be made like that.
    #[error("such a cluster cannot be made")]
    Spec(#[from] SpecError),
    /// Its folder.
    #[error("the folder of cluster {name} cannot be used")]
    Folder {
        /// The cluster.
        name: Name,
        /// Why.
        #[source]
        source: FolderError,
    },
    /// Its notes.
    #[error(
        "cluster {name} was not made to the end, or its notes are damaged; `osctl cluster destroy --name {name}` removes it"
    )]
    State {
        /// The cluster.
        name: Name,
        /// Why.
        #[source]
        source: StateError,
    },
    /// It did not start; what had been started is gone again.
    #[error("cluster {name} did not start")]
    Launch {
        /// The cluster.
        name: Name,
        /// Why.
        #[source]
        source: LaunchError,
    },
    /// It did not start, and what had been started is not gone.
    #[error(
        "cluster {name} did not start, and is not gone either ({}); `osctl cluster destroy --name {name}` removes it",
        chain(left)
    )]
    Left {
        /// The cluster.
        name: Name,
        /// Why it did not start.
        #[source]
        source: Box<LaunchError>,
        /// Why it is not gone.
        left: Box<ClustersError>,
    },
    /// Its processes.
    #[error("the processes of cluster {name} cannot be ended")]
    Processes {
        /// The cluster.
        name: Name,
        /// Why.
        #[source]
        source: ProcessError,
    },
}

impl Clusters {
    /// The user's clusters: `garboard/clusters` in the XDG data home.
    ///
    /// # Errors
    /// When there is no home, or the folder cannot be made.
    pub fn of_user() -> Result<Self, ClustersError> {
        let absolute = |variable| {
            std::env::var_os(variable)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let data = absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
            .ok_or(ClustersError::NoHome)?;
        Self::at(&data.join("garboard/clusters"))
    }

    /// Clusters in a folder of the caller's choice, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn at(root: &Path) -> Result<Self, ClustersError> {
        // One spelling of the path, since it is what our processes are known by.
        fs::create_dir_all(root)
            .and_then(|()| root.canonicalize())
            .map(|root| Self { root })
            .map_err(|source| ClustersError::Root {
                path: root.to_owned(),
                source,
            })
    }

    /// The names of all clusters, half-made and damaged ones included.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Name>, ClustersError> {
        let entries = fs::read_dir(&self.root).and_then(Iterator::collect);
        let entries: Vec<fs::DirEntry> = entries.map_err(|source| ClustersError::Root {
            path: self.root.clone(),
            source,
        })?;
        let mut names: Vec<Name> = entries
            .iter()
            // A file that somebody has put there is none.
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// The folder of a cluster, whether there is one or not.
    pub fn folder(&self, name: &Name) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// Makes a cluster and starts its processes; the machines boot after this has returned. When anything fails, what
    /// had been started is removed again.
    ///
    /// # Errors
    /// When the spec is wrong, the name taken, or a process does not come up.
    pub fn create(&self, host: &Host, spec: &ClusterSpec) -> Result<Cluster, ClustersError> {
        spec.check()?;
        let name = &spec.name;
        let path = self.folder(name);
        let made = Folder::create(&path, Deadline::after(LOCK));
        let folder = made.map_err(|source| match source {
            FolderError::Exists { .. } => ClustersError::Exists { name: name.clone() },
            source => folder_error(name, source),
        })?;
        match launch(host, &folder, spec) {
            Ok(state) => Ok(Cluster::new(path, state)),
            Err(source) => Err(match end(name, folder) {
                Ok(_) => ClustersError::Launch {
                    name: name.clone(),
                    source,
                },
                Err(left) => ClustersError::Left {
                    name: name.clone(),
                    source: Box::new(source),
                    left: Box::new(left),
                },
            }),
        }
    }

    /// Opens a cluster that exists.
    ///
    /// # Errors
    /// When there is none of this name, or its state cannot be read.
    pub fn open(&self, name: &Name) -> Result<Cluster, ClustersError> {
        let path = self.folder(name);
        // One that may not be looked into exists.
        if matches!(path.try_exists(), Ok(false)) {
            return Err(ClustersError::Missing { name: name.clone() });
        }
        let state = State::load(&path).map_err(|source| ClustersError::State {
            name: name.clone(),
            source,
        })?;
        Ok(Cluster::new(path, state))
    }

    /// Ends all processes of a cluster and removes its folder, however far its creator came. Doing it twice is fine.
    ///
    /// # Errors
    /// When somebody else is at work on it for long, a process does not end, or a file cannot be removed.
    pub fn destroy(&self, name: &Name) -> Result<Destroyed, ClustersError> {
        match Folder::lock(&self.folder(name), Deadline::after(LOCK)) {
            Ok(folder) => end(name, folder),
            Err(FolderError::Missing { .. }) => Ok(Destroyed::Nothing),
            Err(source) => Err(folder_error(name, source)),
        }
    }
}

/// An error with its causes, for one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

fn folder_error(name: &Name, source: FolderError) -> ClustersError {
    ClustersError::Folder {
        name: name.clone(),
        source,
    }
}

fn launch(host: &Host, folder: &Folder, spec: &ClusterSpec) -> Result<State, LaunchError> {
    let launcher = Launcher {
        host,
        folder: folder.path(),
        deadline: Deadline::after(LAUNCH),
    };
    let mut state = launcher.fresh(spec)?;
    launcher.disks(&state)?;
    launcher.network(&mut state)?;
    for vm in &spec.vms {
        launcher.machine(&mut state, &vm.name)?;
    }
    Ok(state)
}

/// Ends everything of the cluster whose folder this is, and the folder. The notes are not asked: see `process`.
fn end(name: &Name, folder: Folder) -> Result<Destroyed, ClustersError> {
    let failed = |source| ClustersError::Processes {
        name: name.clone(),
        source,
    };
    let processes = Process::of_folder(folder.path()).map_err(failed)?;
    let deadline = Deadline::after(KILL);
    let outcomes: Vec<_> = processes
        .iter()
        .map(|process| process.kill(deadline))
        .collect();
    outcomes
        .into_iter()
        .collect::<Result<(), _>>()
        .map_err(failed)?;
    folder
        .remove()
        .map_err(|source| folder_error(name, source))?;
    Ok(Destroyed::Cluster {
        processes: processes.len(),
    })
}
