//! The server over real connections: what is served, and what clients may not take.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use web::{Limits, Options, Response, Router, Server};

fn server(limits: Limits) -> Server {
    let mut router = Router::new();
    router.get("/hello", |request| {
        Response::text(200, request.parameter("name").unwrap_or_default())
    });
    router.get("/panic", |_| panic!("on purpose"));
    router.post("/echo", 100, |request| Response::json(request.body.clone()));
    router.get("/ticks", |_| {
        Response::stream("text/event-stream", |out| {
            for n in 0..3 {
                write!(out, "data: {n}\n\n")?;
                out.flush()?;
            }
            Ok(())
        })
    });
    let options = Options {
        limits,
        ..Options::new(([127, 0, 0, 1], 0).into())
    };
    Server::start(&options, router).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

fn all(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn ask(server: &Server, text: &str) -> String {
    let mut stream = connect(server.address());
    let _ = stream.write_all(text.as_bytes());
    all(stream)
}

#[test]
fn requests_and_answers() {
    let server = server(Limits::default());
    let close = "Host: x\r\nConnection: close\r\n";
    let answer = ask(
        &server,
        &format!("GET /hello?name=a%20b HTTP/1.1\r\n{close}\r\n"),
    );
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\na b"),
        "{answer}"
    );
    assert!(
        answer.contains("nosniff") && !answer.contains("Access-Control"),
        "{answer}"
    );
    let answer = ask(
        &server,
        &format!("HEAD /hello?name=ab HTTP/1.1\r\n{close}\r\n"),
    );
    assert!(
        answer.contains("Content-Length: 2\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    for path in [
        "/",
        "/hello/",
        "/../etc/passwd",
        "/echo",
        "//hello",
        "/%68ello",
    ] {
        let answer = ask(&server, &format!("GET {path} HTTP/1.1\r\n{close}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    let answer = ask(
        &server,
        &format!("POST /echo HTTP/1.1\r\n{close}Content-Length: 3\r\n\r\nabc"),
    );
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    let chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    let answer = ask(&server, &format!("POST /echo HTTP/1.1\r\n{close}{chunks}"));
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    let answer = ask(&server, &format!("GET /panic HTTP/1.1\r\n{close}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    let answer = ask(&server, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        answer.ends_with("data: 0\n\ndata: 1\n\ndata: 2\n\n"),
        "{answer}"
    );
}

#[test]
fn two_requests_in_one_packet() {
    let server = server(Limits::default());
    let request = "GET /hello?name=one HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /hello?name=two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = ask(&server, &format!("{request}{last}"));
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2);
    assert!(
        answer.contains("one") && answer.ends_with("two"),
        "{answer}"
    );
}

#[test]
fn leave_to_send_a_body_is_given() {
    let server = server(Limits::default());
    let mut stream = connect(server.address());
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\
        Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ab").unwrap();
    assert!(all(stream).ends_with("\r\n\r\nab"));
}

#[test]
fn oversized_and_malformed() {
    let server = server(Limits::default());
    let big = format!(
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    assert!(ask(&server, &big).starts_with("HTTP/1.1 431 "));
    let big = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n";
    assert!(ask(&server, big).starts_with("HTTP/1.1 413 "));
    let tls = "\x16\x03\x01\x02\x00\x01\x00\x01\x03\x03";
    assert!(ask(&server, tls).starts_with("HTTP/1.1 400 "));
    // It still serves.
    let answer = ask(&server, "GET /hello HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "));
}

#[test]
fn slow_clients_are_let_go_and_do_not_shut_others_out() {
    let limits = Limits {
        head_time: Duration::from_millis(300),
        connections: 4,
        from_one: 3,
        ..Limits::default()
    };
    let server = server(limits);
    let mut slow: Vec<TcpStream> = (0..3).map(|_| connect(server.address())).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /hello HT").unwrap();
    }
    // The fourth from one address is one too many, until the slow ones have been let go.
    let refused = ask(&server, "GET /hello HTTP/1.0\r\n\r\n");
    assert!(
        refused.starts_with("HTTP/1.1 503 ") || refused.starts_with("HTTP/1.1 200 "),
        "{refused}"
    );
    for stream in slow {
        assert!(all(stream).starts_with("HTTP/1.1 408 "));
    }
    let mut served = false;
    for _ in 0..1000 {
        served = ask(&server, "GET /hello HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 ");
        if served {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(served, "the slow connections were never let go");
}
