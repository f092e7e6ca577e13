//! Runs vector files against the engines of this crate.

mod schemas;

fn main() -> anyhow::Result<()> {
    for file in std::env::args_os().skip(1) {
        let text = std::fs::read_to_string(&file)?;
        let is_go = text.trim_start().starts_with('{');
        let types = if is_go { schemas::strategic(&text) } else { schemas::merge_diff(&text) }?;
        println!("{}: {types:?}", file.display());
    }
    Ok(())
}
