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
fn nothing_for_other_sites() {
    let server = server(Limits::default());
    let status = |request: &str, headers: &str| {
        let head = "Host: 10.0.0.1:8765\r\nConnection: close\r\n";
        let answer = ask(
            &server,
            &format!("{request} HTTP/1.1\r\n{head}{headers}\r\n"),
        );
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let post = "Content-Length: 0\r\n";
    assert_eq!(status("GET /hello", ""), "200");
    assert_eq!(status("GET /hello", "Sec-Fetch-Site: none\r\n"), "200");
    assert_eq!(
        status("GET /hello", "Origin: http://10.0.0.1:8765\r\n"),
        "200"
    );
    for headers in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://10.0.0.1:8765\r\nOrigin: http://evil.example\r\n",
    ] {
        assert_eq!(status("GET /hello", headers), "403", "{headers}");
        assert_eq!(
            status("POST /echo", &format!("{post}{headers}")),
            "403",
            "{headers}"
        );
    }
    // A name that was pointed here makes both the same; what posts events is no browser.
    let rebound = format!("{post}Origin: http://10.0.0.1:8765\r\n");
    assert_eq!(status("POST /echo", &rebound), "403");
    assert_eq!(status("POST /echo", post), "200");
}

#[test]
fn malformed_requests_are_refused() {
    let server = server(Limits::default());
    for (request, expected) in [
        ("GET\r\n\r\n", "400"),
        ("GET /hello\r\n\r\n", "400"),
        ("GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", "505"),
        ("GET /hello HTTP/1.1\r\n\r\n", "400"),
        ("GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"),
        ("GET http://x/hello HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        (
            "GET /hello HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
            "400",
        ),
        ("GET /hello HTTP/1.1\r\nHost: x\r\nA\0b: y\r\n\r\n", "400"),
        ("PUT /hello HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            "400",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na",
            "400",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "4",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
            "501",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "400",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
            "4",
        ),
    ] {
        let answer = ask(&server, request);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with(expected), "{request:?}: {answer}");
    }
    let many = format!(
        "GET /hello HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "A: b\r\n".repeat(100)
    );
    assert!(ask(&server, &many).starts_with("HTTP/1.1 431 "));
    let chunks = "10\r\n0123456789abcdef\r\n".repeat(20);
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(ask(&server, &format!("{head}{chunks}0\r\n\r\n")).starts_with("HTTP/1.1 413 "));
    assert!(ask(&server, "GET /hello HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

/// A byte now and then does not stretch the time, in the head nor in the body.
#[test]
fn drip_by_drip_is_too_slow() {
    let limits = Limits {
        head_time: Duration::from_millis(400),
        body_time: Duration::from_millis(400),
        ..Limits::default()
    };
    let server = server(limits);
    for head in [
        "",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n",
    ] {
        let mut stream = connect(server.address());
        stream.write_all(head.as_bytes()).unwrap();
        let mut sent = 0;
        while stream.write_all(b"G").is_ok() {
            sent += 1;
            assert!(sent < 10_000, "{head:?} is let go on for ever");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert!(ask(&server, "GET /hello HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
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
