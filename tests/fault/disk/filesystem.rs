//! An [`Image`] as the kernel asks for it. Everything goes through to the image at once, and nothing is remembered by
//! the kernel but the pages of open files.

use std::{
    ffi::OsStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::{
    Call, Faults,
    image::{File, Folder, Image, Kind},
};

const FRESH: Duration = Duration::ZERO;
const BLOCK_BYTES: u32 = 4096;

/// Disk as FUSE serves it and a test changes it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) image: Image,
    pub(super) faults: Faults,
}

#[derive(Debug, Clone)]
pub(super) struct Served(pub(super) Arc<Mutex<State>>);

impl Served {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(&self, id: u64) -> Result<FileAttr, Errno> {
        attributes(&self.lock().image, id)
    }

    fn made(&self, parent: INodeNo, name: &OsStr, mode: u32, kind: Kind) -> Result<FileAttr, Errno> {
        let mut state = self.lock();
        state.faults.pass(Call::Create)?;
        let id = state.image.create(parent.0, name, mode, kind)?;
        attributes(&state.image, id)
    }

    fn synced(&self, id: INodeNo) -> Result<(), Errno> {
        let mut state = self.lock();
        let State { image, faults } = &mut *state;
        faults.pass(Call::Sync).inspect_err(|_| image.forget(id.0))?;
        if image.folder(id.0).is_ok() { image.sync_folder(id.0) } else { image.sync(id.0) }
    }
}

fn attributes(image: &Image, id: u64) -> Result<FileAttr, Errno> {
    let node = image.node(id)?;
    let (kind, size) = match &node.kind {
        Kind::File(file) => (FileType::RegularFile, file.live.len() as u64),
        Kind::Folder(_) => (FileType::Directory, 0),
    };
    Ok(FileAttr {
        ino: INodeNo(id),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: node.mode,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

fn answer(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn enter(reply: ReplyEntry, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attributes) => reply.entry(&FRESH, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.lock();
        enter(reply, state.image.find(parent.0, name).and_then(|id| attributes(&state.image, id)));
    }

    fn getattr(&self, _: &Request, id: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(id.0) {
            Ok(attributes) => reply.attr(&FRESH, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        id: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = |image: &mut Image| {
            if let Some(mode) = mode {
                image.node_mut(id.0)?.mode = u16::try_from(mode & 0o7777).unwrap();
            }
            size.map_or(Ok(()), |size| image.resize(id.0, size))?;
            attributes(image, id.0)
        };
        match change(&mut self.lock().image) {
            Ok(attributes) => reply.attr(&FRESH, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        enter(reply, self.made(parent, name, mode & !umask, Kind::Folder(Folder::default())));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.made(parent, name, mode & !umask, Kind::File(File::default())) {
            Ok(made) => reply.created(&FRESH, &made, Generation(0), FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.lock().image.remove(parent.0, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.lock().image.remove(parent.0, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        let mut state = self.lock();
        let passed = state.faults.pass(Call::Rename);
        answer(reply, passed.and_then(|()| state.image.rename((parent.0, name), (to.0, new))));
    }

    fn read(
        &self,
        _: &Request,
        id: INodeNo,
        _: FileHandle,
        at: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut state = self.lock();
        let passed = state.faults.pass(Call::Read);
        match passed.and_then(|()| state.image.file(id.0)) {
            Ok(file) => {
                let from = usize::try_from(at).unwrap().min(file.live.len());
                let to = (from + size as usize).min(file.live.len());
                reply.data(file.live.get(from..to).unwrap_or_default());
            }
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        id: INodeNo,
        _: FileHandle,
        at: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.lock();
        let passed = state.faults.pass(Call::Write);
        match passed.and_then(|()| state.image.write(id.0, at, data)) {
            Ok(bytes) => reply.written(u32::try_from(bytes).unwrap()),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, id: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.synced(id));
    }

    fn fsyncdir(&self, _: &Request, id: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.synced(id));
    }

    fn readdir(&self, _: &Request, id: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let state = self.lock();
        let Ok(folder) = state.image.folder(id.0) else { return reply.error(Errno::ENOTDIR) };
        let ordinal = usize::try_from(offset).unwrap();
        for (index, (name, id)) in folder.live.iter().enumerate().skip(ordinal) {
            let kind =
                if state.image.file(*id).is_ok() { FileType::RegularFile } else { FileType::Directory };
            if reply.add(INodeNo(*id), index as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let state = self.lock();
        let blocks = |bytes: u64| bytes / u64::from(BLOCK_BYTES);
        let free = blocks(state.image.limit.saturating_sub(state.image.used()));
        reply.statfs(blocks(state.image.limit), free, free, 1 << 20, 1 << 20, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}
