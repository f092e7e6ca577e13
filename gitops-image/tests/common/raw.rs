//! A server that sends bytes, whatever HTTP says of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// It ends when this is dropped.
pub struct Raw {
    address: SocketAddr,
    /// How many requests came.
    pub asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// What is sent to each request, and then.
#[derive(Clone)]
pub struct Script {
    /// Sent at once.
    pub head: String,
    /// Sent again and again, with this pause after each, until the client goes away.
    pub then: Option<(String, Duration)>,
}

impl Raw {
    /// Sends this to each request, and closes the connection.
    pub async fn sending(head: impl Into<String>) -> Self {
        Self::start(Script { head: head.into(), then: None }).await
    }

    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let count = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, count) = (script.clone(), count.clone());
                tokio::spawn(async move { drop(serve(stream, script, &count).await) });
            }
        });
        Self { address, asked, task }
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

async fn serve(mut stream: TcpStream, script: Script, count: &AtomicUsize) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    count.fetch_add(1, Ordering::SeqCst);
    stream.write_all(script.head.as_bytes()).await?;
    while let Some((more, pause)) = &script.then {
        stream.write_all(more.as_bytes()).await?;
        tokio::time::sleep(*pause).await;
    }
    stream.shutdown().await
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}
