//! Compiles `livekit.proto` to Rust without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/livekit.proto");
    println!("cargo:rerun-if-changed=proto/build.rs");
    let files = protox::compile(["proto/livekit.proto"], ["proto"])?;
    prost_build::Config::new().disable_comments(["."]).compile_fds(files)?;
    Ok(())
}
