//! A folder with a built image, and the machines that start from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::name::Name;
use crate::spec::{Boot, Bus, Disk, VmSpec};

/// The names that the image builder gives to its files.
const KERNEL: &str = "vmlinuz";
const INITRAMFS: &str = "initramfs";
const CMDLINE: &str = "cmdline";
const ROOT: &str = "rootfs.img";
const ISO: &str = "garboard.iso";
const PXE: &str = "pxe";

/// A built image.
#[derive(Clone, Debug)]
pub struct Image {
    folder: PathBuf,
}

/// How a machine gets the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Kernel and initramfs from QEMU, the root as a read-only disk that all machines share.
    Direct,
    /// The ISO, attached like this.
    Iso(Bus),
    /// The network.
    Pxe,
}

/// Why a machine cannot start from an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The folder is not that of a built image, or not of this way to boot.
    #[error("{} does not exist: is {} the folder of a built image?", file.display(), folder.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The command line cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Image {
    /// The image in a folder.
    ///
    /// # Errors
    /// When the folder holds none.
    pub fn open(folder: &Path) -> Result<Self, ImageError> {
        // QEMU runs in another folder.
        let folder = folder.canonicalize().map_err(|_| ImageError::Missing {
            file: folder.to_owned(),
            folder: folder.to_owned(),
        })?;
        let image = Self { folder };
        for name in [KERNEL, INITRAMFS, CMDLINE, ROOT] {
            image.file(name)?;
        }
        Ok(image)
    }

    /// The kernel command line, without a line's end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cmdline(&self) -> Result<String, ImageError> {
        let file = self.file(CMDLINE)?;
        let read = fs::read_to_string(&file);
        let text = read.map_err(|source| ImageError::Read { file, source })?;
        Ok(text.trim().to_owned())
    }

    /// The root with its verity tree.
    ///
    /// # Errors
    /// When it is not there.
    pub fn root(&self) -> Result<PathBuf, ImageError> {
        self.file(ROOT)
    }

    /// The folder that a network serves for [`Medium::Pxe`].
    ///
    /// # Errors
    /// When the image was built without it.
    pub fn tftp(&self) -> Result<PathBuf, ImageError> {
        self.file(PXE)
    }

    /// A machine that starts from this image.
    ///
    /// # Errors
    /// When the image was not built for this medium.
    pub fn vm(
        &self,
        name: Name,
        memory: u32,
        medium: Medium,
        uefi: bool,
    ) -> Result<VmSpec, ImageError> {
        let boot = match medium {
            Medium::Direct => Boot::Direct {
                kernel: self.file(KERNEL)?,
                initramfs: self.file(INITRAMFS)?,
                cmdline: self.cmdline()?,
            },
            Medium::Iso(bus) => Boot::Iso {
                image: self.file(ISO)?,
                bus,
            },
            Medium::Pxe => {
                self.tftp()?;
                Boot::Pxe
            }
        };
        let mut vm = VmSpec::new(name, memory, boot);
        vm.uefi = uefi;
        if medium == Medium::Direct {
            vm.disks.push(Disk::shared(self.root()?, Bus::Virtio));
        }
        Ok(vm)
    }

    fn file(&self, name: &str) -> Result<PathBuf, ImageError> {
        let file = self.folder.join(name);
        if file.exists() {
            Ok(file)
        } else {
            Err(ImageError::Missing {
                file,
                folder: self.folder.clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_an_image_is_refused_with_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = Image::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("vmlinuz"), "{error}");

        for name in [KERNEL, INITRAMFS, ROOT] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::write(folder.path().join(CMDLINE), "console=ttyS0 a=b\n").unwrap();
        let image = Image::open(folder.path()).unwrap();
        let name = || "a".parse::<Name>().unwrap();
        let vm = image.vm(name(), 256, Medium::Direct, false).unwrap();
        assert!(matches!(vm.boot, Boot::Direct { cmdline, .. } if cmdline == "console=ttyS0 a=b"));
        assert_eq!(vm.disks.len(), 1);
        let iso = Medium::Iso(Bus::Cdrom);
        let error = image.vm(name(), 256, iso, false).unwrap_err();
        assert!(error.to_string().contains(ISO), "{error}");
        let error = image.vm(name(), 256, Medium::Pxe, false).unwrap_err();
        assert!(error.to_string().contains(PXE), "{error}");
    }
}
