//! Whatever a server sends, and however long it goes on: it takes little memory. Each case has a process of its own, whose
//! memory is measured.
#![cfg(all(feature = "https", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail so")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use gitops_core::{Class, RefSpec, Revision, Source as _};

use common::{cx, fault, http};

/// Which case a process is.
const CASE: &str = "GITOPS_TEST_HOSTILE_ANSWER";

const ID: &str = "1234567890123456789012345678901234567890";

/// What there is in memory at most beyond what the process begins with.
const MOST: u64 = 200 << 20;

/// What the server says to each of the three questions, when it means harm: it goes on as long as it is heard.
type Harm = fn(&mut dyn Write) -> std::io::Result<()>;

/// Names of capabilities, of references, and of commits that both have; a message to the user; a pack of more objects than
/// there are; an object that is larger than it may be, and one that a delta says it makes.
const CASES: [(&str, &str, Harm); 7] = [
    ("capabilities", "", |out| again(out, b"capability=x\n")),
    ("references", "command=ls-refs", |out| again(out, format!("{ID} refs/heads/main-1\n").as_bytes())),
    ("acknowledgments", "command=fetch", |out| {
        line(out, b"acknowledgments\n")?;
        again(out, format!("ACK {ID} common\n").as_bytes())
    }),
    ("progress", "command=fetch", |out| {
        line(out, b"packfile\n")?;
        again(out, &[&b"\x02"[..], &[b'x'; 60_000]].concat())
    }),
    ("objects without number", "command=fetch", |out| {
        line(out, b"packfile\n")?;
        line(out, b"\x01PACK\0\0\0\x02\xff\xff\xff\xff")?;
        // Empty blobs.
        let blobs = b"\x30\x78\x9c\x03\x00\x00\x00\x00\x01".repeat(7000);
        again(out, &[&b"\x01"[..], &blobs].concat())
    }),
    ("an object of terabytes", "command=fetch", |out| {
        line(out, b"packfile\n")?;
        line(out, b"\x01PACK\0\0\0\x02\0\0\0\x01\xbf\xff\xff\xff\xff\xff\x7f\x78\x01")?;
        // Blocks as they are, of zeros.
        let block = [&b"\x01\x00\xe0\x2e\x1f\xd1"[..], &[0; 12_000]].concat();
        again(out, &block)
    }),
    ("a delta that makes terabytes", "command=fetch", |out| {
        line(out, b"packfile\n")?;
        let mut pack = b"\x01PACK\0\0\0\x02\0\0\0\x02".to_vec();
        // A blob of one byte, and a delta upon it which says how much it makes of it.
        pack.extend(b"\x31\x78\x01\x01\x01\x00\xfe\xff\x61\x00\x62\x00\x62");
        let delta: [u8; 9] = [0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0x90, 0x01];
        pack.extend([0x69, 0x0d, 0x78, 0x01, 0x01, 9, 0, !9, 0xff]);
        pack.extend(delta);
        pack.extend(adler32(&delta).to_be_bytes());
        let mut hash = gix::hash::hasher(gix::hash::Kind::Sha1);
        hash.update(&pack[1..]);
        pack.extend(hash.try_finalize().unwrap().as_slice());
        line(out, &pack)?;
        out.write_all(b"0000")
    }),
];

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

/// A line of Git's protocol.
fn line(out: &mut dyn Write, content: &[u8]) -> std::io::Result<()> {
    write!(out, "{:04x}", content.len() + 4)?;
    out.write_all(content)
}

/// One line without end.
fn again(out: &mut dyn Write, content: &[u8]) -> std::io::Result<()> {
    let mut lines = Vec::new();
    while lines.len() < 60_000 {
        line(&mut lines, content)?;
    }
    loop {
        out.write_all(&lines)?;
    }
}

/// Answers one question, as Git does or not.
fn answer(stream: TcpStream, place: &str, harm: Harm) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    let out = stream.get_mut();
    let kind = if head.starts_with("GET") { "advertisement" } else { "result" };
    write!(
        out,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-git-upload-pack-{kind}\r\n\r\n"
    )?;
    if head.starts_with("GET") {
        line(out, b"# service=git-upload-pack\n")?;
        out.write_all(b"0000")?;
        for capability in ["version 2", "agent=x", "ls-refs=unborn", "fetch=shallow", "object-format=sha1"] {
            line(out, format!("{capability}\n").as_bytes())?;
        }
        if place.is_empty() {
            harm(out)?;
        }
    } else if body.contains(place) {
        return harm(out);
    } else {
        line(out, format!("{ID} refs/heads/main\n").as_bytes())?;
    }
    out.write_all(b"0000")
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn meet(name: &str) {
    let (_, place, harm) = *CASES.iter().find(|(case, ..)| *case == name).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/repo.git", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Until nobody listens any more.
            std::thread::spawn(move || answer(stream, place, harm));
        }
    });
    let mirrors = tempfile::tempdir().unwrap();
    let source = http(&url, mirrors.path()).with_branch("main");
    let source = source.with_max_object_bytes(64 << 20).with_max_received_bytes(300 << 20).build().unwrap();
    let before = peak();
    let resolved = source.resolve(&cx(), &RefSpec::Default).await.map(drop);
    let fetched = match resolved {
        Ok(()) => source.fetch(&cx(), &Revision::new(ID)).await.map(drop),
        refused => refused,
    };
    let refused = fault(fetched);
    let took = peak() - before;
    println!("{name}: {} MB, {refused}", took >> 20);
    assert!(took < MOST, "{name}: {took} bytes of memory");
    assert!(!matches!(refused.class, Class::Bug | Class::Cancelled), "{name}: {refused:?}");
}

#[tokio::test]
async fn no_answer_takes_much_memory() {
    if let Ok(name) = std::env::var(CASE) {
        return meet(&name).await;
    }
    let start = |name| {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let program = program.args(["--exact", "--nocapture", "no_answer_takes_much_memory"]);
        program.env(CASE, name).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = CASES.iter().map(|(name, ..)| (*name, start(*name))).collect();
    for (name, child) in running {
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let told = said.lines().find(|line| line.starts_with(&format!("{name}: ")));
        println!("{}", told.unwrap_or(name));
        assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        assert!(told.is_some(), "{said}");
    }
}
