//! The listings against what is known of them.

use super::*;
use crate::Catalogue;

#[test]
fn every_form_has_every_listed_field() {
    let catalogue = Catalogue::new([("site".to_owned(), "north".to_owned())]);
    let names: Vec<String> = field_names(&catalogue, Form::Text)
        .lines()
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 200);
    for form in [Form::Text, Form::Markdown, Form::Json] {
        let listing = fields(&catalogue, form);
        for name in &names {
            assert!(listing.contains(name), "{name} in {form:?}");
        }
        assert!(!listing.contains("evt.dir") && !listing.contains("mesos."));
    }
    assert_eq!(names.last().map(String::as_str), Some("static.site"));
}

#[test]
fn lines_are_wrapped() {
    let text = fields(&Catalogue::new([]), Form::Text);
    assert!(text.lines().all(|l| l.chars().count() <= 120), "{text}");
    assert!(text.contains("\nevt.num                       Sequence number"));
    assert!(text.contains("(ARG_ALLOWED,EPF_NO_RHS,EPF_NO_TRANSFORMER) "));
}

#[test]
fn events_have_their_parameters() {
    let text = events(Form::Text);
    assert!(text.contains("\n< close(ERRNO **res**, FD **fd**)\n"));
    assert!(text.contains("\n> getppid(SYSCALLID **ID**, UINT16 **nativeID**)\n"));
    let json: serde_json::Value = serde_json::from_str(&events(Form::Json)).unwrap();
    let read = json["Syscall events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["name"] == "read");
    assert_eq!(read.unwrap()["available"], false);
}
