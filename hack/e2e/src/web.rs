//! A web server on this host that the open nodes of a lab can ask.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::places::HOST;

/// The server, for as long as the test lives.
#[derive(Clone, Debug)]
pub struct Web {
    port: u16,
    pages: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Web {
    /// A server that has no page yet.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port for a server")?;
        let port = listener.local_addr()?.port();
        let pages = Arc::<Mutex<BTreeMap<String, String>>>::default();
        let web = Self { port, pages };
        let serving = web.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever asks and does not wait for the answer has had his.
                serving.answer(stream).ok();
            }
        });
        Ok(web)
    }

    /// A URL of it as machines say it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{HOST}:{}{path}", self.port)
    }

    /// From now on there is a page at this path.
    pub fn publish(&self, path: &str, text: &str) {
        self.pages().insert(path.to_owned(), text.to_owned());
    }

    /// One request, and the end of its connection.
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        // What comes with it is read too: a connection that is closed before that is reset.
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let page = self.pages().get(path).cloned();
        let status = page.as_ref().map_or("404 Not Found", |_| "200 OK");
        let body = page.unwrap_or_default();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
