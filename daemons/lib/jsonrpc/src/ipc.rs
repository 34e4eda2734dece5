//! IPC socket: JSON values one after the other, as geth's. The file system decides who may connect.

use crate::connection::{CloseReason, Disconnected, Incoming, MessageStream};
use hyper::body::Bytes;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixListener;

const READ_BYTES: usize = 4_096;
/// The kernel's limit for the path of a socket, which ends with a zero.
pub(crate) const PATH_BYTES_MAX: usize = 107;

/// Binds a socket. One that nobody listens on any more is replaced.
///
/// # Errors
/// When the path is something else, in use, or not ours to write.
pub fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists and is no socket"));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it"));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Framing: finds the end of a value.
#[derive(Debug, Default)]
struct Scanner {
    /// Bytes seen of the value that has begun.
    seen: usize,
    depth: usize,
    string: bool,
    escape: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Scan {
    More,
    /// End of the value: before this byte.
    End(usize),
    /// Broken framing: neither an object nor an array begins here.
    Broken,
}

impl Scanner {
    /// Looks at what was read since the last time.
    fn scan(&mut self, bytes: &[u8]) -> Scan {
        for (index, byte) in bytes.iter().enumerate().skip(self.seen) {
            match byte {
                _ if self.escape => self.escape = false,
                b'\\' if self.string => self.escape = true,
                b'"' if self.depth > 0 => self.string = !self.string,
                _ if self.string => (),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => {
                    *self = Self::default();
                    return Scan::End(index + 1);
                }
                b' ' | b'\t' | b'\r' | b'\n' => (),
                _ if self.depth == 0 => return Scan::Broken,
                _ => (),
            }
        }
        self.seen = bytes.len();
        Scan::More
    }
}

/// Message stream of one IPC connection.
pub(crate) struct Values<S> {
    stream: S,
    most: usize,
    buffer: Vec<u8>,
    scanner: Scanner,
}

/// Stream of which no further value can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("read the IPC socket")]
    Read(#[from] io::Error),
    #[error("neither an object nor a list begins here")]
    Broken,
    #[error("a value is larger than {0} bytes")]
    TooLarge(usize),
}

impl<S: AsyncRead + Unpin> Values<S> {
    pub(crate) const fn new(stream: S, most: usize) -> Self {
        let scanner = Scanner { seen: 0, depth: 0, string: false, escape: false };
        Self { stream, most, buffer: Vec::new(), scanner }
    }

    /// Reads the next value. Cancel-safe: bytes read go into our own buffer.
    pub(crate) async fn next(&mut self) -> Result<Vec<u8>, ValueError> {
        loop {
            match self.scanner.scan(&self.buffer) {
                Scan::End(end) => {
                    let rest = self.buffer.split_off(end);
                    return Ok(std::mem::replace(&mut self.buffer, rest));
                }
                Scan::Broken => return Err(ValueError::Broken),
                Scan::More if self.buffer.len() > self.most => return Err(ValueError::TooLarge(self.most)),
                Scan::More => (),
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> MessageStream for Values<S> {
    async fn read(&mut self) -> Result<Incoming, Disconnected> {
        let broken = |reason| Ok(Incoming::Broken(reason, Some(PARSE_ERROR)));
        match self.next().await {
            Ok(value) => Ok(Incoming::Message(Bytes::from(value))),
            Err(ValueError::Broken) => broken(CloseReason::Policy("parse error".to_owned())),
            Err(ValueError::TooLarge(_)) => broken(CloseReason::Size),
            // Not that the peer has gone: `nc` ends its half after the last request, as a pipe into it ends.
            Err(ValueError::Read(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Incoming::End),
            Err(ValueError::Read(_)) => Err(Disconnected),
        }
    }

    async fn feed(&mut self, mut text: String) -> Result<(), Disconnected> {
        text.push('\n');
        self.stream.write_all(text.as_bytes()).await.map_err(|_| Disconnected)
    }

    async fn flush(&mut self) -> Result<(), Disconnected> {
        self.stream.flush().await.map_err(|_| Disconnected)
    }

    async fn ping(&mut self) -> Result<bool, Disconnected> {
        // The kernel knows whether the peer's process lives.
        Ok(false)
    }

    async fn close(&mut self, _: CloseReason) {
        let _ = self.stream.shutdown().await;
    }
}

const PARSE_ERROR: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}"#;

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `text` at every place; the values must be the same.
    #[track_caller]
    fn check(text: &str, values: &[&str]) {
        for cut in 0..=text.len() {
            let (mut scanner, mut buffer, mut found) = (Scanner::default(), Vec::new(), Vec::new());
            let (first, second) = text.as_bytes().split_at(cut);
            for part in [first, second] {
                buffer.extend_from_slice(part);
                while let Scan::End(end) = scanner.scan(&buffer) {
                    let rest = buffer.split_off(end);
                    found.push(String::from_utf8(std::mem::replace(&mut buffer, rest)).expect("text"));
                }
            }
            let found: Vec<&str> = found.iter().map(|value| value.trim()).collect();
            assert_eq!(found, values, "cut at {cut}");
        }
    }

    #[test]
    fn values_end_where_json_says() {
        check(r#"{"a":1}{"b":[2]} [3]"#, &[r#"{"a":1}"#, r#"{"b":[2]}"#, "[3]"]);
        check("{\"a\":\"}\\\"}\\\\\"}\n[\"]\"]\n", &["{\"a\":\"}\\\"}\\\\\"}", "[\"]\"]"]);
        check("[[{}],{}", &[]);
        assert_eq!(Scanner::default().scan(b" 7"), Scan::Broken);
        assert_eq!(Scanner::default().scan(b"}"), Scan::Broken);
    }

    #[test]
    fn sockets_are_replaced_only_when_nobody_listens() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let dir = std::env::temp_dir().join(format!("maidenlane-ipc-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let path = dir.join("rpc.ipc");
        let first = bind(&path, 0o600).expect("free");
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(bind(&path, 0o600).expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(bind(&path, 0o660).expect("nobody listens"));
        let file = dir.join("file");
        std::fs::write(&file, "precious").expect("writable");
        assert_eq!(bind(&file, 0o600).expect_err("no socket").kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_dir_all(&dir).expect("ours");
    }
}
