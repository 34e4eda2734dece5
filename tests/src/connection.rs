//! A kept HTTP/1.1 connection that costs the machine as little as possible: it shares it with what is measured.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};

use crate::failure::{Doing, Failure, Outcome};

/// The slowest request of all takes a fraction of this.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One client.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
    request: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    /// Connects to `address`, with or without asking for compressed answers.
    pub(crate) fn open(address: &str, gzip: bool) -> Outcome<Self> {
        let stream = TcpStream::connect(address).doing(|| format!("connect to {address}"))?;
        Self::over(stream, address, gzip, TIMEOUT)
    }

    /// The same from an address of this machine that others do not come from, with less patience.
    pub(crate) fn open_from(source: Ipv4Addr, address: &str, patience: Duration) -> Outcome<Self> {
        let server: SocketAddr = address.parse().doing(|| format!("read the address {address}"))?;
        let doing = || format!("connect to {address} from {source}");
        let made = socket(AddressFamily::INET, SocketType::STREAM, None).doing(doing)?;
        sockopt::set_socket_timeout(&made, sockopt::Timeout::Send, Some(patience)).doing(doing)?;
        bind(&made, &SocketAddr::from((source, 0))).doing(doing)?;
        connect(&made, &server).doing(doing)?;
        Self::over(TcpStream::from(made), address, false, patience)
    }

    fn over(stream: TcpStream, address: &str, gzip: bool, patience: Duration) -> Outcome<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        let encoding = if gzip { "accept-encoding: gzip\r\n" } else { "" };
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{encoding}content-length: "
        );
        Ok(Self {
            stream: BufReader::with_capacity(64 << 10, stream),
            head,
            request: Vec::new(),
            body: Vec::new(),
        })
    }

    /// Posts one body and returns the answer's, as it came.
    pub(crate) fn ask(&mut self, body: &str) -> Outcome<&[u8]> {
        self.ask_with("", body)
    }

    /// The same with one more header, a whole line.
    pub(crate) fn ask_with(&mut self, header: &str, body: &str) -> Outcome<&[u8]> {
        self.request.clear();
        write!(self.request, "{}{}\r\n{header}\r\n{body}", self.head, body.len())?;
        self.stream.get_mut().write_all(&self.request).doing(|| "send a request".to_owned())?;
        let (mut length, mut line) = (None, String::new());
        self.line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200") {
            return Err(Failure::new(format!("{line} to {body:.200}")));
        }
        loop {
            self.line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
        self.body.clear();
        match length {
            Some(length) => self.take(length)?,
            None => self.chunks(&mut line)?,
        }
        Ok(&self.body)
    }

    fn chunks(&mut self, line: &mut String) -> Outcome<()> {
        loop {
            self.line(line)?;
            let length = u64::from_str_radix(line, 16).doing(|| format!("read the chunk length {line:?}"))?;
            self.take(length)?;
            self.line(line)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, length: u64) -> Outcome<()> {
        let taken = self.stream.by_ref().take(length).read_to_end(&mut self.body)?;
        if u64::try_from(taken).is_ok_and(|taken| taken == length) {
            return Ok(());
        }
        Err(Failure::new(format!("the answer ended after {taken} of {length} bytes")))
    }

    /// The next line without its end.
    fn line(&mut self, line: &mut String) -> Outcome<()> {
        line.clear();
        if self.stream.read_line(line).doing(|| "read an answer".to_owned())? == 0 {
            return Err(Failure::new("the server hung up"));
        }
        line.truncate(line.trim_end().len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io, net::TcpListener, thread};

    use super::*;

    /// A server that gives these answers, each to one request on the same connection.
    fn server(answers: &'static [&'static str]) -> (String, thread::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            for answer in answers {
                let mut seen = Vec::new();
                while !seen.ends_with(b"{}") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte)?;
                    seen.extend(byte);
                }
                stream.write_all(answer.as_bytes())?;
            }
            Ok(())
        });
        (address, served)
    }

    #[test]
    fn reads_answers_of_both_forms_on_one_connection() {
        let (address, served) = server(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        ]);
        let mut connection = Connection::open(&address, true).unwrap();
        for wanted in ["first", "second", ""] {
            assert_eq!(connection.ask("{}").unwrap(), wanted.as_bytes());
        }
        assert!(connection.ask("{}").unwrap_err().to_string().contains("503"));
        served.join().unwrap().unwrap();
    }

    #[test]
    fn an_answer_that_is_cut_off_is_a_failure() {
        let (address, served) = server(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfir"]);
        let mut connection = Connection::open(&address, false).unwrap();
        assert!(connection.ask("{}").unwrap_err().to_string().contains("3 of 5 bytes"));
        served.join().unwrap().unwrap();
    }
}
