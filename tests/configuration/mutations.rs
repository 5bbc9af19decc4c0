//! Deterministic mutations of `config/default.toml`, each with one change.

use crate::keys::{DEFAULTS, Key, keys};

/// The expected result of reading a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The file is accepted.
    Accepted,
    /// Exactly one mistake is reported, at this line and key.
    Refused { line: usize, key: String },
    /// Broken at a random position: it is still accepted, or every mistake has a line.
    Either,
}

#[derive(Debug, Clone)]
pub struct Mutation {
    pub name: String,
    pub text: String,
    pub expected: Expected,
}

/// Characters inserted at random positions.
const INTRUDERS: [char; 12] = [
    '=', '"', '[', ']', '{', '.', '#', '\n', '\\', '7', 'x', '\u{e9}',
];
const RANDOM_BREAKS: usize = 120;

pub fn mutations() -> Vec<Mutation> {
    let mut all = Vec::new();
    for key in keys() {
        names_of(&key, &mut all);
        values_of(&key, &mut all);
        ranges_of(&key, &mut all);
    }
    sections(&mut all);
    contradictions(&mut all);
    whole_files(&mut all);
    random_breaks(&mut all);
    all
}

fn refused(line: usize, key: &str) -> Expected {
    let key = key.to_owned();
    Expected::Refused { line, key }
}

fn add(all: &mut Vec<Mutation>, name: String, text: String, expected: Expected) {
    all.push(Mutation {
        name,
        text,
        expected,
    });
}

/// The defaults with one line replaced.
fn with_line(line: usize, text: &str) -> String {
    let lines = DEFAULTS.lines().enumerate();
    let mut changed = String::new();
    for (index, old) in lines {
        changed.push_str(if index + 1 == line { text } else { old });
        changed.push('\n');
    }
    changed
}

fn names_of(key: &Key, all: &mut Vec<Mutation>) {
    let Key {
        section,
        name,
        value,
        line,
        ..
    } = key;
    let full = key.full();
    let misspelt = &name[..name.len() - 1];
    let text = with_line(*line, &format!("{misspelt} = {value}"));
    let expected = refused(*line, &format!("{section}.{misspelt}"));
    add(all, format!("{full} misspelt"), text, expected);

    let text = with_line(*line, &format!("{name} = {value}\nsurplus = 1"));
    let expected = refused(line + 1, &format!("{section}.surplus"));
    add(all, format!("unknown key after {full}"), text, expected);

    let text = with_line(*line, &format!("{name} = {value}\n{name} = {value}"));
    add(all, format!("{full} twice"), text, refused(line + 1, &full));

    let text = format!("{name} = {value}\n{DEFAULTS}");
    add(
        all,
        format!("{full} outside its section"),
        text,
        refused(1, name),
    );

    let text = with_line(*line, &format!("{name} {value}"));
    add(
        all,
        format!("{full} without ="),
        text,
        refused(*line, &full),
    );

    let text = with_line(*line, &format!("{name} ="));
    add(
        all,
        format!("{full} without a value"),
        text,
        refused(*line, &full),
    );

    let text = format!("{section}.{name} = {value}\n");
    add(all, format!("{full} dotted"), text, Expected::Accepted);
}

/// Values of every type except the key's.
fn values_of(key: &Key, all: &mut Vec<Mutation>) {
    let is_number = key.value.parse::<u64>().is_ok();
    let is_list = key.value.starts_with('[');
    let mut values = vec!["true", "{ a = 1 }", "{}", "1979-05-27", "2.5", "\"\""];
    if is_number {
        values.extend(["\"12\"", "[12]", "1e3", "nan", "-1", "0x7fffffffffffffff"]);
    } else if is_list {
        values.extend([
            "12",
            "\"10.0.0.0/8\"",
            "[12]",
            "[\"10.0.0.0/40\"]",
            "[\"home\"]",
            "[[]]",
        ]);
    } else {
        values.extend(["12", "[\"a\"]", "\"\\u0000\"", "\"  \""]);
    }
    for value in values {
        let text = with_line(key.line, &format!("{} = {value}", key.name));
        let full = key.full();
        add(
            all,
            format!("{full} = {value}"),
            text,
            refused(key.line, &full),
        );
    }
}

fn ranges_of(key: &Key, all: &mut Vec<Mutation>) {
    let Some((least, most)) = key.range() else {
        return;
    };
    let full = key.full();
    let huge = "99999999999999999999".to_owned();
    for value in [
        (i128::from(least) - 1).to_string(),
        (most + 1).to_string(),
        huge,
    ] {
        let text = with_line(key.line, &format!("{} = {value}", key.name));
        add(
            all,
            format!("{full} = {value}"),
            text,
            refused(key.line, &full),
        );
    }
    // The ends of a range may conflict with the default of another key.
    let middle = key.value.parse::<u64>().expect("it is a number") + 1;
    for (value, expected) in [
        (least, Expected::Either),
        (most, Expected::Either),
        (middle.min(most), Expected::Accepted),
    ] {
        let is_heads = full == "gateway.hello_ms_max" || full == "delivery.heads_every_ms";
        let text = with_line(key.line, &format!("{} = {value}", key.name));
        let expected = if is_heads { Expected::Either } else { expected };
        add(all, format!("{full} = {value}"), text, expected);
    }
}

fn sections(all: &mut Vec<Mutation>) {
    let end = DEFAULTS.lines().count();
    let mut names: Vec<String> = keys().into_iter().map(|key| key.section).collect();
    names.dedup();
    for name in names {
        let text = format!("{name} = 5\n");
        add(all, format!("{name} as a value"), text, refused(1, &name));
        let text = format!("[[{name}]]\n");
        add(all, format!("{name} as a list"), text, refused(1, &name));
        let text = format!("# Nothing.\n[{name}]\n");
        add(
            all,
            format!("{name} without a key"),
            text,
            Expected::Accepted,
        );
        let text = format!("{DEFAULTS}[{name}]\n");
        add(all, format!("{name} twice"), text, refused(end + 1, &name));
        let text = format!("[{name}.deeper]\nx = 1\n");
        let expected = refused(1, &format!("{name}.deeper"));
        add(all, format!("{name} with a table"), text, expected);
        let text = format!("\n[{name}s]\nx = 1\n");
        add(
            all,
            format!("{name} misspelt"),
            text,
            refused(3, &format!("{name}s.x")),
        );
        let text = format!("\n[{name}s]\n");
        add(
            all,
            format!("{name} misspelt and empty"),
            text,
            refused(2, &format!("{name}s")),
        );
        add(
            all,
            format!("{name} unclosed"),
            format!("\n[{name}\n"),
            refused(2, &name),
        );
    }
}

fn contradictions(all: &mut Vec<Mutation>) {
    for (text, line, key) in [
        (
            "[delivery]\nheads_every_ms = 5000\nring_age_ms_max = 1000\n",
            3,
            "delivery.ring_age_ms_max",
        ),
        (
            "[delivery]\n\nring_age_ms_max = 1000\n",
            3,
            "delivery.ring_age_ms_max",
        ),
        ("[server]\nstop_ms_max = 6999\n", 2, "server.stop_ms_max"),
        (
            "[journal]\nbackend = \"postgres\"\n[cluster]\nlisten = \"0.0.0.0:8080\"\n\
             address = \"node-1:8080\"\n",
            4,
            "cluster.listen",
        ),
        (
            "[cluster]\nlisten = \"0.0.0.0:7000\"\n",
            2,
            "cluster.listen",
        ),
        (
            "[cluster]\nlisten = \"[::]:7000\"\naddress = \"auto\"\n",
            3,
            "cluster.address",
        ),
        (
            "[cluster]\nlease_ms = 3000\nexit_after_ms = 3000\n",
            3,
            "cluster.exit_after_ms",
        ),
        (
            "[gateway]\nwrite_ms_max = 10000\n",
            2,
            "gateway.write_ms_max",
        ),
        (
            "[gateway]\nwrite_ms_max = 2000\n[server]\nstop_ms_max = 3999\n",
            4,
            "server.stop_ms_max",
        ),
        (
            "[limits]\nsession_wrong_codes_burst = 2000\n",
            2,
            "limits.session_wrong_codes_burst",
        ),
        (
            "[limits]\nwrong_codes_per_minute = 10\n",
            2,
            "limits.wrong_codes_per_minute",
        ),
    ] {
        let name = format!("contradiction {text:?}");
        add(all, name, text.to_owned(), refused(line, key));
    }
}

fn whole_files(all: &mut Vec<Mutation>) {
    let accepted = [
        ("empty", String::new()),
        ("the defaults", DEFAULTS.to_owned()),
        ("with CRLF", DEFAULTS.replace('\n', "\r\n")),
        ("without a last newline", DEFAULTS.trim_end().to_owned()),
        ("with a byte order mark", format!("\u{feff}{DEFAULTS}")),
        ("a comment", "# Nothing here.\n".to_owned()),
        (
            "valid changes",
            "[gateway]\nvenues = [\n  \"10.1.0.0/16\", # the school\n  \"2001:db8::/32\",\n]\n\
             [telemetry]\nlog = \"warn,cluecast::session=debug\"\nlog_format = 'json'\n\
             [session]\nmailbox_max = 0x1_0000\nturn_requests_max = 1_000\n"
                .to_owned(),
        ),
        (
            "a memory journal",
            "[journal]\nbackend = \"memory\"\n".to_owned(),
        ),
    ];
    for (name, text) in accepted {
        add(all, name.to_owned(), text, Expected::Accepted);
    }
    for (text, line, key) in [
        ("[journal]\nbackend = \"SQLite\"\n", 2, "journal.backend"),
        (
            "[journal]\nbackend = { sqlite = {} }\n",
            2,
            "journal.backend",
        ),
        (
            "[server]\nlisten = \"localhost:8080\"\n",
            2,
            "server.listen",
        ),
        ("[server]\nlisten = \"127.0.0.1\"\n", 2, "server.listen"),
        (
            "[server]\nlisten = \"127.0.0.1:65536\"\n",
            2,
            "server.listen",
        ),
        ("[telemetry]\nlog = \"inof\"\n", 2, "telemetry.log"),
        (
            "[telemetry]\nlog = \"info,cluecast=loud\"\n",
            2,
            "telemetry.log",
        ),
        (
            "[telemetry]\nlog_format = \"xml\"\n",
            2,
            "telemetry.log_format",
        ),
        ("\"server.listen\" = \"127.0.0.1:1\"\n", 1, "server.listen"),
        ("[cluster]\naddress = \":7000\"\n", 2, "cluster.address"),
        (
            "[cluster]\naddress = \"http://a:7000\"\n",
            2,
            "cluster.address",
        ),
        ("[cluster]\naddress = \"node-1:0\"\n", 2, "cluster.address"),
        (
            "[gateway]\norigins = [\"https://hunt.example:99999\"]\n",
            2,
            "gateway.origins",
        ),
        (
            "[journal]\npostgres_url = \"postgres://\"\n",
            2,
            "journal.postgres_url",
        ),
        (
            "[journal]\npostgres_url = \"postgres://u@h/d?nonsense=1\"\n",
            2,
            "journal.postgres_url",
        ),
        ("[tls]\nmode = \"on\"\n", 2, "tls.mode"),
        ("[server]\ndata_dir = \"/dev/null\"\n", 2, "server.data_dir"),
        ("[server]\n\"data_dir \" = \"x\"\n", 2, "server.data_dir "),
    ] {
        add(all, text.to_owned(), text.to_owned(), refused(line, key));
    }
}

/// Inserts or removes one character at random positions of the defaults.
fn random_breaks(all: &mut Vec<Mutation>) {
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        // Knuth's linear congruential generator (MMIX); its upper bits are good enough here.
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits fit") % below
    };
    for index in 0..RANDOM_BREAKS {
        let mut text: Vec<char> = DEFAULTS.chars().collect();
        let at = draw(text.len());
        if index % 2 == 0 {
            text.remove(at);
        } else {
            text.insert(at, INTRUDERS[draw(INTRUDERS.len())]);
        }
        let name = format!("break {index} at {at}");
        add(all, name, text.into_iter().collect(), Expected::Either);
    }
}
