//! `tokio::io` and `tokio::net`: copies in both directions, lines, datagrams.

use tidemill::spawn;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::everywhere::everywhere;

#[test]
fn a_proxy_copies_a_megabyte_there_and_back() {
    everywhere(|| async {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = echo.local_addr().unwrap();
        spawn(async move {
            let (mut peer, _) = echo.accept().await.unwrap();
            let (mut from, mut to) = peer.split();
            copy(&mut from, &mut to).await.unwrap();
        });
        let (mut client, mut behind) = duplex(4096);
        let proxy = spawn(async move {
            let mut server = TcpStream::connect(address).await.unwrap();
            copy_bidirectional(&mut behind, &mut server).await.unwrap()
        });
        let sent: Vec<u8> = (0..1 << 20).map(|byte: u32| byte as u8).collect();
        let received = {
            let (mut from, mut to) = tokio::io::split(&mut client);
            let write = async {
                to.write_all(&sent).await.unwrap();
                to.shutdown().await.unwrap();
            };
            let mut received = Vec::new();
            futures_lite::future::zip(write, from.read_to_end(&mut received)).await.1.unwrap();
            received
        };
        assert!(received == sent, "{} bytes of {}", received.len(), sent.len());
        assert_eq!(proxy.await.unwrap(), (1 << 20, 1 << 20));
    });
}

#[test]
fn lines_and_datagrams() {
    everywhere(|| async {
        let mut lines = BufReader::new(&b"one\ntwo\n"[..]).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("one"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
        assert_eq!(lines.next_line().await.unwrap(), None);

        let (a, b) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        a.send_to(b"datagram", b.local_addr().unwrap()).await.unwrap();
        let mut buffer = [0; 16];
        let (length, from) = b.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (&b"datagram"[..], a.local_addr().unwrap()));
    });
}
