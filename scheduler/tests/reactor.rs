//! tokio's I/O and timers, driven by the machines.
#![allow(clippy::unwrap_used)]

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tidemill_scheduler::{JoinHandle, Procs, Runtime, blocking, spawn, yield_now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

fn runtime(procs: usize) -> Runtime {
    Runtime::builder().procs(Procs::Fixed(procs)).build().unwrap()
}

async fn echo(mut peer: TcpStream) -> io::Result<u64> {
    let mut buffer = [0; 64];
    let mut bytes = 0;
    loop {
        match peer.read(&mut buffer).await? {
            0 => return Ok(bytes),
            n => peer.write_all(&buffer[..n]).await?,
        }
        bytes += 1;
    }
}

async fn ask(to: std::net::SocketAddr, rounds: u8) -> io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    for round in 0..rounds {
        server.write_all(&[round]).await?;
        assert_eq!(server.read_u8().await?, round);
    }
    Ok(())
}

#[test]
fn echo_over_tcp_with_many_connections() {
    for procs in [1, 2] {
        let rt = runtime(procs);
        let server = rt.spawn(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            spawn(async move {
                while let Ok((peer, _)) = listener.accept().await {
                    spawn(echo(peer));
                }
            });
            address
        });
        let address = rt.block_on(server).unwrap();
        let clients: Vec<JoinHandle<io::Result<()>>> = (0..64).map(|_| rt.spawn(ask(address, 100))).collect();
        for client in clients {
            rt.block_on(client).unwrap().unwrap();
        }
    }
}

#[test]
fn timers_fire_in_tasks_and_in_block_on() {
    let rt = runtime(1);
    let start = Instant::now();
    rt.block_on(async { sleep(Duration::from_millis(10)).await });
    rt.block_on(rt.spawn(async { sleep(Duration::from_millis(10)).await })).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
    let slow = rt.block_on(async { timeout(Duration::from_millis(5), std::future::pending::<()>()).await });
    assert!(slow.is_err());
}

#[test]
fn a_timer_fires_while_every_machine_is_busy() {
    let rt = runtime(1);
    let polls = rt.block_on(async {
        let timer = spawn(sleep(Duration::from_millis(5)));
        let mut polls = 0_u64;
        let spinner = async {
            while !timer.is_finished() {
                polls += 1;
                yield_now().await;
            }
        };
        spawn(async {}).await.unwrap();
        spinner.await;
        polls
    });
    assert!(polls > 0);
    // The same with a spinner that is a task, so that the only machine never rests.
    rt.block_on(rt.spawn(async {
        let timer = spawn(sleep(Duration::from_millis(5)));
        while !timer.is_finished() {
            yield_now().await;
        }
    }))
    .unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a library's use of tokio::spawn is what is tested")]
fn a_task_of_tokios_runs_and_may_call_blocking() {
    let rt = runtime(1);
    let ours = rt.block_on(async {
        let foreign = tokio::spawn(async { blocking(|| thread::current().name().map(str::to_owned)) });
        spawn(async { 1 }).await.unwrap();
        foreign.await.unwrap()
    });
    assert_eq!(ours.as_deref(), Some("tidemill"), "the driver runs it");
    assert_eq!(rt.block_on(rt.spawn(async { 2 })).unwrap(), 2, "and no permit was lost by it");
    assert_eq!(rt.metrics().procs, 1);
}

#[test]
fn an_idle_runtime_comes_to_rest() {
    let rt = runtime(2);
    rt.block_on(rt.spawn(async { sleep(Duration::from_millis(1)).await })).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while rt.metrics().idle_procs != 2 && Instant::now() < deadline {
        thread::yield_now();
    }
    let metrics = rt.metrics();
    assert_eq!((metrics.idle_procs, metrics.searching_threads, metrics.live_tasks), (2, 0, 0), "{metrics:?}");
}
