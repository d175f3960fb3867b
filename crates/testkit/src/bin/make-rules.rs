//! Writes a rule file of many distinct rules: `make-rules COUNT FILE`. The same number gives the same
//! bytes everywhere.

#![forbid(unsafe_code)]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, file] = arguments.as_slice() else {
        return Err("usage: make-rules COUNT FILE".into());
    };
    std::fs::write(file, testkit::many_rules(count.parse()?))?;
    Ok(())
}
