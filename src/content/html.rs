//! Markdown to sanitised HTML.
//!
//! `pulldown-cmark` parses `CommonMark` with tables and strikethrough. Its output may contain any HTML that the
//! author wrote; `ammonia` removes all elements and attributes except those listed here.

use std::borrow::Cow;
use std::sync::LazyLock;

use ammonia::{Builder, Url, UrlRelative};
use pulldown_cmark::{Event, Options, Parser};

/// Elements that are kept. Others lose their tags and keep their content.
const ELEMENTS: [&str; 41] = [
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "dd",
    "del",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];
/// Levels of nesting that Markdown may have; deeper marks are dropped, and their text is kept. The HTML parser
/// takes time in proportion to elements × levels: 20 s for 64 KiB of `>` without this bound.
const NESTING_MAX: usize = 64;
/// Elements that are removed with their content.
const REMOVED_WHOLE: [&str; 7] = [
    "iframe", "math", "object", "script", "style", "svg", "template",
];
/// Allowed schemes of absolute links. Images must be relative, because they are served below the text's path.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];
/// Allowed attributes of some elements, in addition to `lang`, `dir` and `title`, which all may have.
const ATTRIBUTES: [(&str, &[&str]); 5] = [
    ("a", &["href"]),
    ("img", &["src", "alt", "width", "height"]),
    ("ol", &["start"]),
    ("td", &["colspan", "rowspan"]),
    ("th", &["colspan", "rowspan"]),
];

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut sanitiser = Builder::empty();
    let attributes = ATTRIBUTES
        .into_iter()
        .map(|(element, names)| (element, names.iter().copied().collect()));
    sanitiser
        .tags(ELEMENTS.into())
        .clean_content_tags(REMOVED_WHOLE.into())
        .generic_attributes(["dir", "lang", "title"].into())
        .tag_attributes(attributes.collect())
        .url_schemes(SCHEMES.into())
        .url_relative(UrlRelative::PassThrough)
        .attribute_filter(keep_attribute)
        .link_rel(Some("noopener noreferrer nofollow"))
        .strip_comments(true);
    sanitiser
});

/// A base URL that occurs in no text. A relative link that leaves the text's folder does not resolve below it.
static FOLDER: LazyLock<Url> =
    LazyLock::new(|| Url::parse("https://folder.invalid/a/b/c/").expect("it is a URL"));

/// A fragment of HTML that is safe to insert into a page.
///
/// Takes about 50 µs for each KiB of ordinary text: call it on a thread that may block.
pub(super) fn render(markdown: &str) -> String {
    let parser = Parser::new_ext(
        markdown,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH,
    );
    let mut unsafe_html = String::with_capacity(markdown.len() * 2);
    pulldown_cmark::html::push_html(&mut unsafe_html, without_deep_nesting(parser));
    SANITISER.clean(&unsafe_html).to_string()
}

/// Drops markup that is nested too deeply, and keeps its text.
fn without_deep_nesting<'m>(
    events: impl Iterator<Item = Event<'m>>,
) -> impl Iterator<Item = Event<'m>> {
    let mut level = 0;
    events.filter(move |event| match event {
        Event::Start(_) => {
            level += 1;
            level <= NESTING_MAX
        }
        Event::End(_) => {
            level -= 1;
            level < NESTING_MAX
        }
        _ => true,
    })
}

/// Removes the URLs of images outside the text's folder, and of relative links that leave it.
fn keep_attribute<'u>(element: &str, attribute: &str, value: &'u str) -> Option<Cow<'u, str>> {
    let is_kept = match (element, attribute) {
        ("img", "src") => is_inside(value),
        ("a", "href") => is_inside(value) || is_absolute(value),
        _ => true,
    };
    is_kept.then_some(Cow::Borrowed(value))
}

fn is_absolute(link: &str) -> bool {
    Url::parse(link).is_ok_and(|url| SCHEMES.contains(&url.scheme()))
}

/// Whether a relative link stays in the folder of the text.
fn is_inside(link: &str) -> bool {
    // RFC 3986, 4.2: a colon there belongs to a scheme.
    let first = link.split(['/', '?', '#']).next();
    let has_scheme = first.is_some_and(|segment| segment.contains(':'));
    let resolved = FOLDER.join(link);
    !has_scheme && resolved.is_ok_and(|url| url.as_str().starts_with(FOLDER.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{NESTING_MAX, render};

    #[track_caller]
    fn renders(markdown: &str, html: &str) {
        assert_eq!(render(markdown).trim_end(), html, "{markdown}");
    }

    #[test]
    fn what_authors_need_is_kept() {
        renders(
            "# Flags\n\nRead *them* **down**.",
            "<h1>Flags</h1>\n<p>Read <em>them</em> <strong>down</strong>.</p>",
        );
        renders(
            "3. three\n4. four",
            "<ol start=\"3\">\n<li>three</li>\n<li>four</li>\n</ol>",
        );
        renders("- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>");
        renders(
            "|a|b|\n|-|:-:|\n|1|~~2~~|",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n\
             <tr><td>1</td><td><del>2</del></td></tr>\n</tbody></table>",
        );
        renders(
            "`<b>`\n\n```rust\nlet a = 1 < 2;\n```",
            "<p><code>&lt;b&gt;</code></p>\n<pre><code>let a = 1 &lt; 2;\n</code></pre>",
        );
        renders("H<sub>2</sub>O", "<p>H<sub>2</sub>O</p>");
        renders(
            "[site](https://example.org/a?b=c#d)",
            "<p><a href=\"https://example.org/a?b=c#d\" rel=\"noopener noreferrer nofollow\">site</a></p>",
        );
    }

    #[test]
    fn relative_links_and_images_stay_relative() {
        let rel = "rel=\"noopener noreferrer nofollow\"";
        renders(
            "![A map](maps/north.png \"North\")",
            "<p><img src=\"maps/north.png\" alt=\"A map\" title=\"North\"></p>",
        );
        renders(
            "[sheet](sheet.pdf?page=2)",
            &format!("<p><a href=\"sheet.pdf?page=2\" {rel}>sheet</a></p>"),
        );
        renders(
            "[below](#part)",
            &format!("<p><a href=\"#part\" {rel}>below</a></p>"),
        );
    }

    #[test]
    fn nothing_active_survives() {
        for hostile in [
            "<script>alert(1)</script>",
            "<scr<script>ipt>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<p onclick='alert(1)' style='position:fixed'>a</p>",
            "<a href=\"javascript:alert(1)\">a</a>",
            "[a](javascript:alert(1))",
            "[a](JaVa&#x09;Script:alert(1))",
            "[a](data:text/html,<script>alert(1)</script>)",
            "<javascript:alert(1)>",
            "[a](vbscript:msgbox(1))",
            "<iframe src=\"https://evil.example\">alert(1)</iframe>",
            "<object data=\"x\"><embed src=\"x\"></object>",
            "<svg><script>alert(1)</script><a xlink:href=\"javascript:alert(1)\">a</a></svg>",
            "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
            "<style>body{display:none}</style>",
            "<link rel=stylesheet href=//evil.example/x.css><base href=//evil.example>",
            "<meta http-equiv=refresh content=\"0;url=//evil.example\">",
            "<form action=//evil.example><input name=a><button>b</button></form>",
            "<video src=//evil.example autoplay></video>",
            "![a](https://evil.example/pixel.png)",
            "![a](//evil.example/pixel.png)",
            r"<img src=\\evil.example\pixel.png>",
            "![a](/content/other/body.html)",
            "![a](../../other/body.html)",
            "![a](%2e%2e/body.html)",
            "![a](data:image/svg+xml,x)",
            "[a](//evil.example)",
            "[a](/api/v1/hunts)",
            "<img srcset=\"https://evil.example/x 1x\">",
            "<!-- alert(1) --><template><p>alert(1)</p></template>",
        ] {
            let html = render(hostile).to_lowercase();
            // Text content may keep it; tags and attributes may not.
            let tags: String = html
                .split('<')
                .skip(1)
                .filter_map(|tag| tag.split('>').next())
                .collect();
            for active in [
                "script", "alert", "evil", "style", "iframe", "object", "svg", "math", "on",
                "srcset", "form", "input", "button", "meta", "link", "base", "video", "data:", "/",
                "template", "--",
            ] {
                let found = tags.replace("rel=\"noopener noreferrer nofollow\"", "");
                let found = found.replace("/p", "").replace("/a", "");
                assert!(
                    !found.contains(active),
                    "{active} is in {html} of {hostile}"
                );
            }
        }
    }

    #[test]
    fn text_in_any_script_is_kept() {
        renders(
            "שלום **ข้าว** 🏴\u{200d}☠️",
            "<p>שלום <strong>ข้าว</strong> 🏴\u{200d}☠️</p>",
        );
    }

    #[test]
    fn deep_nesting_is_flattened_and_keeps_the_text() {
        for mark in [">", "> "] {
            let markdown = mark.repeat(hunt::limits::BODY_BYTES_MAX / mark.len() - 1) + "deep";
            let html = render(&markdown);
            assert_eq!(html.matches("<blockquote>").count(), NESTING_MAX);
            assert_eq!(html.matches("</blockquote>").count(), NESTING_MAX);
            assert!(html.contains("deep"));
        }
    }

    #[test]
    fn the_longest_texts_are_rendered() {
        let parts = [
            "*",
            "[",
            "![",
            "`",
            "- ",
            "<b>",
            "<dd>",
            "<blockquote>",
            "<a ",
            "|",
            "_a*",
            "&",
            "\\",
            "<p><table>",
            "[a](b",
        ];
        for part in parts {
            let markdown = part.repeat(hunt::limits::BODY_BYTES_MAX / part.len());
            let html = render(&markdown);
            assert!(html.len() < 10 * markdown.len(), "{part}");
        }
    }
}
