//! The page in a real browser: somebody enters the token, watches, chooses, clicks.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

mod support;

use support::browser::Browser;
use support::{Page, TOKEN};

const ROWS: &str = "document.querySelectorAll('#alerts tr').length";

#[test]
fn somebody_looks_around() {
    let page = Page::start();
    for number in 0..150 {
        let (priority, rule, container) = match number % 3 {
            0 => (4, "Shell in container", "7c1d5e0a94b3"),
            1 => (5, "Read sensitive file untrusted", ""),
            _ => (2, "Container escape", "0f9e8d7c6b5a"),
        };
        page.alert(number, priority, rule, container, &format!("text {number}"));
    }
    page.tell();
    page.until(150);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    // Without the token there is a field for it, and nothing else; a wrong one opens nothing.
    let url = format!("http://{}/", page.address());
    browser.go(&url);
    browser.until("document.querySelector('input[name=token]')");
    assert!(browser.text("body").contains("page.token_file"));
    browser.picture("entry.png");
    for (token, opens) in [("0123456789abcdef9999", false), (TOKEN, true)] {
        browser.click("input[name=token]");
        browser.write(token);
        browser.click("button");
        let shown = if opens {
            "#plots"
        } else {
            "input[name=token]:placeholder-shown, input[name=token]"
        };
        browser.until(&format!("document.querySelector({shown:?})"));
        browser.until("document.readyState === 'complete'");
        if !opens {
            assert_eq!(browser.count("#plots"), 0);
            browser.go(&url);
            browser.until("document.querySelector('input[name=token]')?.value === ''");
        }
    }
    browser.until(&format!("{ROWS} === 100"));
    assert_eq!(
        browser.value("location.href"),
        url,
        "the address keeps no token"
    );
    browser.until("document.getElementById('state').innerText === 'live'");
    browser.until("document.querySelectorAll('#plots svg path').length === 4");
    assert!(
        browser.text("#lost-plot").contains("at most 300"),
        "{}",
        browser.text("#lost-plot")
    );
    assert!(browser.text("#events-plot b").ends_with('k'));
    let costs = browser.text("#costs tbody tr");
    assert!(
        costs.starts_with("Read sensitive file untrusted") && costs.contains("80.0 ms"),
        "{costs}"
    );
    browser.picture("list.png");

    // More of them.
    browser.click("#older");
    browser.until(&format!("{ROWS} === 150"));

    // One as it comes.
    page.alert(200, 1, "Container escape", "0f9e8d7c6b5a", "just now");
    browser.until("document.querySelector('#alerts tr td:last-child').innerText === 'just now'");

    // By rule, priority, container; what does not fit does not come either.
    browser.choose("#rule", "Shell in container");
    browser.until(&format!("{ROWS} === 50"));
    page.alert(201, 1, "Container escape", "", "not this one");
    page.alert(202, 4, "Shell in container", "7c1d5e0a94b3", "but this one");
    browser
        .until("document.querySelector('#alerts tr td:last-child').innerText === 'but this one'");
    assert!(!browser.text("#alerts").contains("not this one"));
    browser.choose("#rule", "");
    browser.choose("#priority", "3");
    browser.until(&format!("{ROWS} === 52"));
    browser.choose("#priority", "");
    browser.choose("#container", "host");
    browser.until(&format!("{ROWS} === 51"));
    browser.choose("#container", "");
    browser.until(&format!("{ROWS} === 100"));

    // All of one.
    browser.click("#alerts tr:nth-child(3)");
    browser.until("!document.getElementById('detail').hidden");
    let detail = browser.text("#detail");
    for part in [
        "just now",
        "openat",
        "4911",
        "name=/etc/shadow",
        "0f9e8d7c6b5a",
        "00000000a1b20000",
        "mitre_execution",
        "cat /etc/shadow",
        "proc.name",
        "<NA>",
    ] {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
    let at = |name: &str| detail.find(name).unwrap();
    assert!(
        at("systemd 1") < at("bash 7") && at("bash 7") < at("cat 9"),
        "{detail}"
    );
    assert_eq!(browser.count("#alerts tr.chosen"), 1);
    browser.picture("detail.png");
    browser.click("#close");
    browser.until("document.getElementById('detail').hidden");

    // Nothing came from anywhere else.
    let others = browser.value(
        "performance.getEntriesByType('resource').filter(r => !r.name.startsWith(location.origin)).length",
    );
    assert_eq!(others, 0);
}

#[test]
fn what_an_alert_says_stays_text() {
    let page = Page::start();
    let evil =
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    page.alert(1, 4, evil, evil, evil);
    page.until(1);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    browser.go(&format!("http://{}/?token={TOKEN}", page.address()));
    browser.until(&format!("{ROWS} === 1"));
    browser.until("document.querySelectorAll('#rule option').length === 2");
    browser.click("#alerts tr");
    browser.until("!document.getElementById('detail').hidden");
    assert!(browser.text("#detail").contains("<script>"));
    assert_eq!((browser.count("img"), browser.count("script")), (0, 1));
    assert_eq!(browser.value("document.title"), "Peregrine");
    browser.choose("#container", evil);
    browser.until(&format!("{ROWS} === 1"));
}
