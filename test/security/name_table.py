"""Names that a server might give to files, as bytes of JSON strings: those that are refused, and odd ones that are not."""


def bad_names():
    """At least 200, as text; lone surrogates stand for what is no Unicode."""
    up = ["..", "../x", "../../../../etc/passwd", "a/..", "a/../x", "a/../../x", "a/b/../../../x", "..\\x", "a\\..\\x",
          "a\\..\\..\\x", "a/..\\x", "a\\../x", "..\\..\\..\\", "../", "a/../", "x/../../../../tmp/x", "..//x", "./../x"]
    dots = [".", "./x", "a/.", "a/./b", "./", ".\\x", "a\\.\\b", "...", "....", "a/...", ".../x", ". .", ".. ", "..  ",
            " ..", "a/.. /x", ".. /x", "... ", " ", "  ", "a/ /b", " /x", "x/ ", ". ", "a/. /b", "..\u0020./x"]
    absolute = ["/", "/x", "/etc/passwd", "//x", "///x", "//host/share/x", "\\x", "\\\\host\\share\\x", "\\\\?\\C:\\x",
                "\\\\.\\pipe\\x", "/\\x", "\\/x", "/../x", "/./x", "/a/../../x"]
    drives = [f"{letter}{rest}" for letter in "CcZa" for rest in (":", ":x", ":\\x", ":/x", ":..\\x")]
    drives += ["a/D:/x", "a\\D:x", "a/b/C:", "C::$DATA"]
    streams = ["x:stream", "x::$DATA", "a/x:y", "x:", ":x", ":", "a/:", "x:Zone.Identifier", "http://host/x",
               "file:///etc/passwd", "a/b:c/d", "x:$I30:$INDEX_ALLOCATION", "hf://x"]
    empty = ["", "a//b", "a/", "a//", "a\\\\b", "a\\", "a/\\b", "a\\/b", "a/b/"]
    controls = [f"a{chr(code)}b" for code in (*range(0x20), 0x7f)] + [f"{chr(code)}" for code in (0, 1, 10, 13, 27, 127)]
    controls += [f"a{chr(code)}b" for code in range(0x80, 0xa0)] + ["a\x1b[31mred", "x\r\nSet-Cookie: a=b", "x\0.txt",
                                                                    "..\0/x", "a/\0"]
    git = [".git", ".git/config", ".git/hooks/post-checkout", "a/.git/config", ".GIT/config", ".Git/x", "git~1/config",
           "GIT~1", ".git /config", ".git./config", ".git. . /x", "a\\.git\\config", "sub/.gIt"]
    long = ["x" * 256, "d/" + "x" * 256, "x" * 256 + "/y", "ü" * 128, "x" * 4096, "/".join(["x" * 100] * 60),
            "x" * 70000]
    surrogates = ["\ud800", "a\udfffb", "a/\udc00"]
    return up + dots + absolute + drives + streams + empty + controls + git + long + surrogates


def local_names():
    """Refused below a local_dir only."""
    return [".cache/huggingface", ".cache/huggingface/x", ".cache/huggingface/download/f.metadata",
            ".cache/huggingface/download/f.lock", ".CACHE/HuggingFace/x", ".cache./huggingface /x",
            ".cache\\huggingface\\x", ".cache/huggingface/.gitignore"]


def good_names():
    """Odd, and meant: they are fetched under just these names."""
    return ["with space.txt", " leading", "trailing ", "trailing.", "tab-less", "ü/ö/ä.txt", "日本語.bin", "emoji-😀.txt",
            "100%", "%2e%2e%2f", "%2e%2e/passwd", "a%2Fb", "a%00b", "a#b", "a?b=c", "a&b", "a+b", "a=b", "a;b", "a,b",
            "-rf", "--help", "-", "~", "~root/x", "$HOME", "${HOME}", "`id`", "$(id)", "a'b", 'a"b', "a|b", "a<b>c",
            "*", "a*b", "[a]", "{a}", "!x", "@x", "^x", "CON.txt", "aux", "nul.json", "com1", "LPT9.txt", "..a", "a..",
            "a..b", "...a", ".hidden", ".gitignore", ".gitattributes", ".github/workflows/x.yml", "git/config",
            "x.git", "x.lock", "x.metadata", "x.incomplete", "blobs/x", "snapshots/x", "refs/main", ".no_exist/x",
            ".cache/x", "cache/huggingface/x", "huggingface", "∕etc∕passwd", "．．/x", "․․/x", "a\u202eb", "a\u200bb",
            "é", "e\u0301", "ﬀ", "\ufeffx", "a\u2028b", "con", "x" * 200, "/".join("d" * 20), "0", "null", "true",
            "a\\b", "index.html", "resolve/main/x", "tree/main", "api/models", "x.tar.gz", "X", "x y/z w"]
