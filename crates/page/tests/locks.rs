//! Who gets what from the page's server.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::{Page, TOKEN};

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn the_locks() {
    let page = Page::start();
    let cookie = format!("Cookie: peregrine={TOKEN}\r\n");
    for path in [
        "/",
        "/page.js",
        "/alerts",
        "/alert?id=1",
        "/numbers",
        "/stream",
    ] {
        let refused = |headers: &str, with: &str| {
            let answer = page.ask(path, headers);
            assert_eq!(status(&answer), with, "{path} {headers}");
            assert!(answer.contains("nosniff") && !answer.contains("Access-Control"));
        };
        refused("Host: localhost\r\n", "401");
        refused(
            "Host: localhost\r\nCookie: peregrine=0123456789abcdef0124\r\n",
            "401",
        );
        refused("Host: localhost\r\nCookie: peregrine=\r\n", "401");
        refused(&format!("Host: evil.example\r\n{cookie}"), "403");
        refused(&format!("Host: evil.example:8766\r\n{cookie}"), "403");
        refused(&format!("Host: 127.0.0.1.evil.example\r\n{cookie}"), "403");
        refused(
            &format!("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n{cookie}"),
            "403",
        );
        refused(
            &format!("Host: localhost\r\nSec-Fetch-Site: same-site\r\n{cookie}"),
            "403",
        );
        refused(
            &format!("Host: localhost\r\nOrigin: http://evil.example\r\n{cookie}"),
            "403",
        );
        refused(
            &format!("Host: localhost\r\nOrigin: null\r\n{cookie}"),
            "403",
        );
    }
    let answer = page.ask(&format!("/?token={TOKEN}"), "Host: 127.0.0.1:5\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 303 ") && answer.contains("Location: /\r\n"),
        "{answer}"
    );
    assert!(answer.contains("HttpOnly; SameSite=Strict"), "{answer}");
    let answer = page.ask("/?token=wrong", "Host: 127.0.0.1:5\r\n");
    assert!(
        status(&answer) == "401" && !answer.contains("Set-Cookie"),
        "{answer}"
    );
    let answer = page.open("/");
    assert!(
        answer.contains("<title>Peregrine") && answer.contains("nosniff"),
        "{answer}"
    );
    assert_eq!(status(&page.open("/alert?id=99")), "404");
    assert_eq!(status(&page.open("/alert?id=x")), "400");
    assert_eq!(status(&page.open("/../etc/passwd")), "404");
    let mut stream = TcpStream::connect(page.address()).unwrap();
    write!(
        stream,
        "POST /alerts HTTP/1.1\r\nHost: localhost\r\n{cookie}Content-Length: 0\r\n\r\n"
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 404 "), "{line}");
}

#[test]
fn alerts_as_they_come() {
    let page = Page::start();
    page.alert(1, 4, "A", "", "first");
    page.until(1);
    let follow = |headers: &str| {
        let mut stream = TcpStream::connect(page.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let head =
            format!("GET /stream HTTP/1.1\r\nHost: localhost\r\nCookie: peregrine={TOKEN}\r\n");
        write!(stream, "{head}{headers}\r\n").unwrap();
        BufReader::new(stream).lines()
    };
    let mut lines = follow("Last-Event-ID: 0\r\n");
    let mut next = || loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str::<serde_json::Value>(data).unwrap();
        }
    };
    assert_eq!(next()["text"], "first", "what was missed comes first");
    page.alert(2, 4, "B", "", "second");
    assert_eq!(next()["text"], "second");
    let one = page.open("/alert?id=2");
    let json: serde_json::Value =
        serde_json::from_str(one.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(json["processes"][2]["name"], "systemd");
    assert_eq!(
        (&json["event"]["number"], &json["fields"]["user.uid"]),
        (&4713.into(), &0.into())
    );
    // So many may follow, and no more.
    let mut others: Vec<_> = (0..7).map(|_| follow("")).collect();
    for other in &mut others {
        assert!(other.next().unwrap().unwrap().starts_with("HTTP/1.1 200 "));
    }
    assert!(
        follow("")
            .next()
            .unwrap()
            .unwrap()
            .starts_with("HTTP/1.1 503 ")
    );
}
