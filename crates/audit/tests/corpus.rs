//! The audit events of the corpus read, and their pieces are where they ought to be.

#![allow(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

use audit::{Body, Limits, Session};

#[test]
fn every_file_of_the_corpus_reads() {
    let Some(corpus) = testkit::corpus::find("audit events") else {
        return;
    };
    let mut events = 0;
    for path in corpus
        .files("k8s_audit")
        .into_iter()
        .chain(corpus.files("k8s_audit/psp"))
    {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "index.json" || name == "fal_01_003.json" {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut splitter = audit::Splitter::new(1 << 20);
        splitter.push(&bytes);
        while let Some(piece) = splitter.finish() {
            let audit::split::Piece::Document(_, text) = piece else {
                panic!("{name}: too large")
            };
            let body =
                Body::parse(&text, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(body.skipped().is_empty(), "{name}: {:?}", body.skipped());
            events += body.len();
            for event in body.events() {
                let session = Session::of(event.node, event.time);
                assert_eq!(session.is_some(), name == "exec_pod.json", "{name}");
                if let Some(session) = session {
                    assert_eq!(session.command, [b"bash".to_vec()]);
                    assert_eq!(session.container, b"nginx1");
                    assert_eq!(session.user, b"minikube-user");
                    assert_eq!(session.groups.len(), 2);
                }
            }
        }
    }
    assert!(events > 20, "{events} events");
}
