// SPDX-License-Identifier: MIT

//! filch-bench-tokio: the servers of the bench as a Tokio task for each connection. Started as the others are:
//! --serve what system workers hogs argument, with a listening socket as descriptor 3. With one worker it is the runtime of
//! the current thread. Of HTTP it looks for the end of the head only, which is what "raw" means in the tables.

use std::io;
use std::os::unix::io::FromRawFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

const LISTENER: i32 = 3;
const END: &[u8] = b"\r\n\r\n";
const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut input = [0; 2048];
    loop {
        let count = stream.read(&mut input).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&input[..count]).await?;
    }
}

async fn hello(mut stream: TcpStream) -> io::Result<()> {
    let mut input = [0; 2048];
    let mut tail = 0; // how much of the end of a head has been seen
    loop {
        let count = stream.read(&mut input).await?;
        if count == 0 {
            return Ok(());
        }
        for &byte in &input[..count] {
            tail = if byte == END[tail] { tail + 1 } else { (byte == b'\r') as usize };
            if tail == END.len() {
                tail = 0;
                stream.write_all(HELLO).await?;
            }
        }
    }
}

async fn serve(what: String, hogs: usize) -> io::Result<()> {
    // What filch-bench hands over is a listening socket, and nobody else's.
    let listener = unsafe { std::net::TcpListener::from_raw_fd(LISTENER) };
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    for _ in 0..hogs {
        tokio::spawn(async {
            let mut turns = 0u64;
            loop {
                turns = std::hint::black_box(turns + 1);
            }
        });
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if what == "echo" {
            tokio::spawn(echo(stream));
        } else {
            tokio::spawn(hello(stream));
        }
    }
}

fn runtime(workers: usize) -> io::Result<Runtime> {
    if workers == 1 {
        return Builder::new_current_thread().enable_io().build();
    }
    Builder::new_multi_thread().worker_threads(workers).enable_io().build()
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    assert!(
        arguments.len() == 7 && arguments[1] == "--serve",
        "this program is started by filch-bench"
    );
    let what = arguments[2].clone();
    assert!(what == "echo" || what == "http-hello", "tokio does not do {what}");
    let workers = arguments[4].parse().expect("workers");
    let hogs = arguments[5].parse().expect("hogs");
    // A task of its own, as the connections' are: the future of block_on is not a worker's.
    let runtime = runtime(workers)?;
    runtime.block_on(async { runtime.spawn(serve(what, hogs)).await.expect("the server") })
}
