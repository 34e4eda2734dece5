//! A door for HTTP that answers as whoever opens it wants: nodes and builders that are slow, lie or swallow answers stand behind one.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::failure::{Doing, Outcome};

/// Largest request.
const BODY_MAX_BYTES: u64 = 8 << 20;

/// Request as it came.
#[derive(Debug)]
pub struct Request {
    /// Headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// Value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Status and body; none closes the connection without a word.
pub type Answer = Option<(&'static str, String)>;

/// The door. Dropping it closes it.
#[derive(Debug)]
pub struct Door {
    address: String,
    closed: Arc<AtomicBool>,
}

impl Door {
    /// A door on a free port.
    ///
    /// # Errors
    /// There is none.
    pub fn open(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").doing(|| "bind a free port".to_owned())?;
        let address = listener.local_addr()?.to_string();
        let (closed, answer) = (Arc::new(AtomicBool::new(false)), Arc::new(answer));
        let shut = Arc::clone(&closed);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shut.load(Ordering::Relaxed) {
                    return;
                }
                let answer = Arc::clone(&answer);
                // A client that goes away ends its thread.
                thread::spawn(move || drop(serve(&stream, &*answer)));
            }
        });
        Ok(Self { address, closed })
    }

    /// Address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(&self.address));
    }
}

/// Serves one connection, request by request.
fn serve(stream: &TcpStream, answer: &dyn Fn(&Request) -> Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut headers, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                let (name, value) = (name.to_lowercase(), value.trim().to_owned());
                if name == "content-length" {
                    length = value.parse().unwrap_or(0);
                }
                headers.push((name, value));
            }
        }
        let mut body = vec![0; usize::try_from(BODY_MAX_BYTES.min(length)).unwrap_or_default()];
        reader.read_exact(&mut body)?;
        let Some((status, answer)) = answer(&Request { headers, body }) else { return Ok(()) };
        let length = answer.len();
        // In one piece: a second one would wait for the acknowledgement of the first, forty milliseconds.
        let whole = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
        );
        let mut out = stream;
        out.write_all(whole.as_bytes())?;
    }
}
