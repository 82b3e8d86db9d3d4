/** What comes with the language: no dependency, and not worth a line in a survey. */
const PYTHON =
  "__future__ abc argparse array ast asyncio atexit base64 bdb binascii bisect builtins bz2 calendar cgi cgitb cmath cmd code codecs collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg cProfile csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http imaplib imp importlib inspect io ipaddress itertools json keyword linecache locale logging lzma mailbox marshal math mimetypes mmap modulefinder multiprocessing netrc nntplib ntpath numbers opcode operator optparse os parser pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtplib socket socketserver sqlite3 ssl stat statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios test textwrap threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle types typing unicodedata unittest urllib uuid venv warnings wave weakref webbrowser winreg wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo " +
  "__builtin__ anydbm BaseHTTPServer CGIHTTPServer commands ConfigParser Cookie cookielib copy_reg cPickle cStringIO dummy_thread exceptions htmlentitydefs HTMLParser httplib md5 new Queue repr robotparser sets sha SimpleHTTPServer SimpleXMLRPCServer SocketServer StringIO thread Tkinter urllib2 urlparse user UserDict UserList UserString xmlrpclib";
const NODE =
  "assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns domain events fs http http2 https inspector module net os path perf_hooks process punycode querystring readline repl stream string_decoder sys timers tls trace_events tty url util v8 vm wasi worker_threads zlib";
const RUBY =
  "abbrev base64 benchmark bigdecimal bundler cgi coverage csv date delegate digest drb English erb etc expect fcntl fiddle fileutils find forwardable getoptlong io ipaddr irb json logger matrix minitest monitor mutex_m net nkf objspace observer open3 open-uri openssl optparse ostruct pathname pp prettyprint prime pstore psych pty racc rake rdoc readline resolv ripper rubygems securerandom set shellwords singleton socket stringio strscan syslog tempfile test time timeout tmpdir tsort un uri weakref yaml zlib";

const NAMES: Readonly<Record<string, ReadonlySet<string>>> = {
  Python: new Set(PYTHON.split(" ")),
  JavaScript: new Set(NODE.split(" ")),
  Ruby: new Set(RUBY.split(" ")),
  Rust: new Set(["std", "core", "alloc", "proc_macro", "test", "crate", "self", "super"]),
  JVM: new Set(["java", "javax", "kotlin", "kotlinx", "scala", "groovy", "sun", "jdk"]),
  "C#": new Set(["System", "Microsoft"]),
};

/** Whether a name's first part belongs to the language itself. */
export function isBuiltin(family: string, first: string): boolean {
  return NAMES[family]?.has(first) ?? false;
}
