/**
 * `npm run man`: writes man/hive.1 from the very tables that the command line runs by (commands,
 * options, exit codes, files, settings), so that help and manual cannot differ. The prose stands
 * here; hive.7 and hive-format.5 are written by hand. mdoc(7).
 */
import { writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { exitMeanings } from "../src/cli/exits.ts";
import { homeAt } from "../src/cli/home/home.ts";
import { type Settings, defaultSettings } from "../src/cli/home/settings.ts";
import { sizeText } from "../src/cli/output.ts";
import { commands } from "../src/cli/table/commands.ts";
import type { CommandSpec, OptionSpec } from "../src/cli/table/spec.ts";

export const manualFile = resolve(fileURLToPath(import.meta.url), "../../man/hive.1");

/** The words of `-o`; a test compares them with what src/mount/attaching/options.ts takes. */
export const mountOptions: readonly (readonly [words: string, meaning: string])[] = [
  ["ro, rw", "read only, or not (the default)"],
  ["allow_other", "other users may look in, as permission bits allow; root alone, or " +
    "user_allow_other in /etc/fuse.conf, makes it possible"],
  ["nonempty", "mount over what the directory holds; it is hidden meanwhile"],
  ["sync, async", "each write waits for stable storage, or not (the default)"],
  ["noatime, atime, relatime, strictatime, norelatime, lazytime, nolazytime, diratime, nodiratime",
    "taken, and the same here: reading moves no access time, which only programs set, since each " +
    "would have to go to peers"],
  ["suid, nosuid", "honour set-user-id bits, or not (the default for users)"],
  ["dev, nodev", "honour device files, or not (the default for users)"],
  ["exec, noexec", "allow programs to run from the drive (the default), or not"],
  ["fsname=NAME", "the name in the first column of df(1)"],
  ["max_read=BYTES", "the largest read request that the kernel may send; at least 4096"],
  ["subtype, defaults, default_permissions, big_writes, auto, noauto, user, nouser, users, " +
    "owner, nofail, _netdev, x-*", "taken for the sake of mount(8) and fstab(5); they change " +
    "nothing here"],
];

/** The compiler sees to it that no setting is missing. */
const settingMeanings: Readonly<Record<keyof Settings, string>> = {
  deviceName: "what this machine calls itself",
  household: "peers with the same household fail together and never share a segment; give the " +
    "machines of one home the same name",
  country: "two capital letters (ISO 3166), told to peers as a claim",
  listen: "multiaddrs to listen on; a public one with its port is told to others at once",
  bootstrap: "multiaddrs of peers to begin with, tried until one answers; `hive join` adds to it",
  mdns: "find peers on the local network",
  relay: "carry bytes between peers behind routers, within limits: on, off, or auto for when " +
    "others can reach this machine straight; never on a machine that listens on loopback alone",
  upnp: "ask the router for a port, by UPnP",
  quotaBytes: "how much to keep for others",
  strangerPercent: "how much of the quota one drive may have whose user is no friend, in percent; " +
    "all that one peer or one address prefix (/24, /48) brought may have twice as much together; " +
    "friends are those whose invites were joined, and who joined ours; this machine's own peers " +
    "are not counted",
  contributeRatio: "how many GB a stranger's machines must keep for others, proven, for each GB of " +
    "files that it keeps here (hive(7)), with a trial for newcomers; 0 asks nothing, and so does a node " +
    "without a drive; friends and this machine's own peers are not asked",
  cacheLimitBytes: "how large the local store may grow; `hive cache --limit` sets it",
  upload: "how much bulk may leave this machine, by the hour; `hive limit up` sets it (default: " +
    "unlimited)",
  download: "the same of what comes in; `hive limit down` sets it (default: unlimited)",
  limitLan: "whether peers on this machine and its local network are limited too",
  metered: "what to do on a link that the system says is metered: pause, ignore, or a rate for " +
    "each direction (default: pause). NetworkManager is asked; where it cannot tell, nothing " +
    "is paused",
  deadAfterSeconds: "a peer without any answer for this long counts as dead, and what it held is " +
    "made anew elsewhere; long before that when its own past absences, and how often it was away, " +
    "make it far more likely to be dead than away; only time in which this machine could see " +
    "others counts, and three " +
    "times as long is given when most of them are silent",
  auditIntervalSeconds: "how often holders are asked for proofs",
  keep: "which moments of the drive are kept, in UTC: `1m for 1h` is the state at each full minute " +
    "of the last hour, tiers are divided by commas, `none` keeps none; `hive snapshots keep` sets it",
  brake: "how many of the drive's files may be deleted or written over, within which while, before " +
    "`hive brake` holds it back, and no fewer than 500; `off` holds nothing back; taken up by the next mount",
  policy: "the policy that the drive goes by, by its name; `hive policy use` sets it",
};

/** What those commands print with --json that do something; test/slow/json.slow.ts asks them. */
const printedAsJson: readonly (readonly [words: string, value: string])[] = [
  ["contacts me", "{ string }"],
  ["contacts add", "{ name, person }"],
  ["contacts remove, shares forget, snapshots create, snapshots delete", "{ name }"],
  ["contacts group NAME add", "[{ person, string }]"],
  ["contacts group NAME remove", "{ group, people }"],
  ["snapshots keep", "{ keep }"],
  ["brake --go-on", "what is held back then, as without it"],
  ["pin PATH", "{ path, pins }, where pins is as in `hive status`, or null with --no-wait"],
  ["watch DIR", "one of those that `--list` prints; with --stop { directory }"],
  ["device add", "{ sequence, publishedAt } at the end; its code is in the words on standard error"],
  ["device forget", "{ peer }"],
  ["peers trust", "{ peer, country }"],
  ["policy use", "{ policy, isInForce }; what it refuses as `policy explain` prints it"],
  ["policy set", "{ path, policy }"],
  ["swarm start, swarm stop, swarm kill", "the numbers of the peers that it started or ended"],
];

/** The whole of hive(1). */
export function renderManual(): string {
  return [
    ...front(),
    ...section("COMMANDS", commands.flatMap(renderCommand)),
    ...section("OUTPUT FOR PROGRAMS", jsonLines()),
    ...section("MOUNT OPTIONS", mountOptionLines()),
    ...section("ENVIRONMENT", environmentLines()),
    ...section("FILES", fileLines()),
    ...section("EXIT STATUS", exitLines()),
    ...section("EXAMPLES", exampleLines()),
    ...section("SECURITY", securityLines()),
    ...section("SEE ALSO", [
      ".Xr fusermount3 1 ,", ".Xr hive-format 5 ,", ".Xr hive-policy 5 ,",
      ".Xr hive 7 ,", ".Xr mount 8",
    ]),
    "",
  ].join("\n");
}

function front(): string[] {
  return [
    '.\\" Made by `npm run man` from src/cli: change the tables there, not this file.',
    ".Dd November 23, 2026",
    ".Dt HIVE 1",
    ".Os Hive",
    ...section("NAME", [
      ".Nm hive", ".Nd private drive whose bytes live on other people's machines",
    ]),
    ...section("SYNOPSIS", [
      ".Nm", ".Ar command", ".Op Ar options", ".Nm", ".Ar command", ".Fl \\-help",
    ]),
    ...section("DESCRIPTION", [
      ...prose("`hive mount` makes a folder that any program can use. What is written there is " +
        "sealed on this machine, cut into shards, and kept by other people's machines. Any k of " +
        "a segment's n shards give it back, so peers may lie, die, come and go; none of them can " +
        "read a name or a byte."),
      ".Pp",
      ...prose("Every node is both client and server: it keeps shards for others as they keep " +
        "its own. There is no company and no coordinator in the middle. The words used here are " +
        "explained in hive(7)."),
      ".Pp",
      ...prose("Data goes to standard output, words to standard error. Options may stand before " +
        "or after operands. Commands that speak of a running drive ask its daemon through a " +
        "socket that only its user may open."),
    ]),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.Sh ${title}`, ...lines];
}

function renderCommand(command: CommandSpec): string[] {
  const shown = command.options.filter((option) => option.hidden !== true);
  const text = `${capital(command.summary)}. ${command.details}`.trim();
  return [
    `.Ss hive ${command.name}`,
    ...synopsisLines(command, shown),
    ".Pp",
    ...prose(text),
    ...(shown.length === 0 ? [] : tagged(shown.map((o) => [optionTag(o), o.summary] as const))),
  ];
}

function synopsisLines(command: CommandSpec, shown: readonly OptionSpec[]): string[] {
  const operands = command.operands === "" ? [] : [`.Ar ${escape(command.operands)}`];
  const options = shown.map((option) => {
    const flag = option.short ?? `\\-${escape(option.name)}`;
    const value = option.value === undefined ? "" : ` Ar ${option.value}`;
    return `.${option.isNeeded === true ? "" : "Op "}Fl ${flag}${value}`;
  });
  return [".Nm hive", `.Cm ${command.name}`, ...operands, ...options];
}

function optionTag(option: OptionSpec): string {
  const value = option.value === undefined ? "" : ` Ar ${option.value}`;
  const long = `Fl \\-${escape(option.name)}`;
  return option.short === undefined ? `${long}${value}` : `Fl ${option.short} , ${long}${value}`;
}

function jsonLines(): string[] {
  return [
    ...prose("With `--json` a command prints one JSON value and nothing else to standard output, also " +
      "where there is nothing to tell: then an empty array, or null. Words go to standard error, and so " +
      "does why a command failed; the exit status is the same. Sizes are in bytes; what ends in At is a " +
      "time as in ISO 8601, what ends in Ms in milliseconds, of a moment since 1970. Names stay as they " +
      "are; others may be added. Lists are arrays, and what was asked about one thing is an object. What " +
      "changes something prints what it was:"),
    ...tagged(printedAsJson.map(([words, value]) => [`Cm ${escape(words)}`, value] as const)),
  ];
}

function mountOptionLines(): string[] {
  return [
    ...prose("`-o` takes words separated by commas; later ones win. A word that is not known is " +
      "refused."),
    ...tagged(mountOptions.map(([words, meaning]) => [`Cm ${escape(words)}`, meaning] as const)),
  ];
}

function fileLines(): string[] {
  const home = homeAt("/");
  const config = (path: string): string => `Pa ~/.config/hive/${basename(path)}`;
  const state = (path: string): string => `Pa ~/.local/state/hive/${basename(path)}`;
  return [
    ...tagged([
      [config(home.keyFile), "the secrets of the drive and of this node, readable by its user " +
        "alone, or sealed under a passphrase"],
      [config(home.settingsFile), "what may be changed; see below"],
      [`${config(home.policiesDirectory)}/*.policy`, "the user's policies; see hive-policy(5)"],
      [state(home.cacheDirectory), "the local store: what peers do not have yet, and what was " +
        "read lately. It is no cache to be swept: it may hold the only copy"],
      [state(home.nodeDirectory), "shards kept for others, and this node's books"],
      [state(home.swarmDirectory), "the homes of a local swarm's peers"],
      [state(home.pauseFile), "there while the user wants no bulk; `hive resume` removes it"],
      [state(home.watchesFile), "the folders that `hive watch` backs up, in the clear"],
      [state(home.logFile), "what the daemon had to say; it never holds a name or a key, and of what is "
        + "said over and over the number alone"],
      ["Pa ~/.cache/hive/code", "our own code, compiled: it may be deleted at any time"],
      [state(home.socket), "where the daemon listens for these commands"],
    ]),
    ".Pp",
    ...prose(`${basename(home.settingsFile)} is one JSON object. A setting that is absent has ` +
      "its default; an unknown one is refused. It is read when a daemon starts; a mounted drive " +
      "goes by its limits and policy as soon as it is saved."),
    ...tagged(Object.entries(settingMeanings).map(([key, meaning]) => settingRow(key, meaning))),
  ];
}

function settingRow(key: string, meaning: string): readonly [string, string] {
  const value = Object.entries(defaultSettings()).find(([name]) => name === key)?.[1];
  return [`Cm ${key}`, `${meaning}${defaultText(key, value)}`];
}

/** Only what is the same on every machine. */
function defaultText(key: string, value: unknown): string {
  if (typeof value === "boolean") return ` (default: ${String(value)})`;
  if (typeof value !== "number") return "";
  return ` (default: ${key.endsWith("Bytes") ? sizeText(value) : String(value)})`;
}

function environmentLines(): string[] {
  const home = homeAt("/");
  const parts = [home.keyFile, home.cacheDirectory].map((path) => path.split("/")[1] as string);
  return tagged([
    ["Ev HIVE_HOME", `a directory that holds everything instead: ${parts.join(" and ")} lie ` +
      "below it. With several, one user has several drives"],
    ["Ev XDG_CONFIG_HOME", "instead of ~/.config, when HIVE_HOME is not set"],
    ["Ev XDG_STATE_HOME", "instead of ~/.local/state, when HIVE_HOME is not set"],
  ]);
}

function exitLines(): string[] {
  const meanings = Object.entries(exitMeanings);
  return tagged(meanings.map(([code, meaning]) => [`Cm ${code}`, meaning] as const));
}

function securityLines(): string[] {
  return [
    ...prose("Names, contents, sizes below a padding step, and keys never leave this machine " +
      "unsealed. Peers see ciphertext, when it comes and goes, and about how much there is. They " +
      "prove what they keep, and every block is checked against its hash when it is read."),
    ".Pp",
    ...prose("Whoever has the 24 words has the drive: there is no way to take them back. Whoever " +
      "can act as you on this machine can read the mount, the key file unless a passphrase seals " +
      "it, and the memory of the daemon. What Hive protects against, what it does not, and what " +
      "a crash can cost is said in full in hive(7)."),
  ];
}

function exampleLines(): string[] {
  return [
    ...prose("A drive on eight local peers, to try it out:"),
    ...display([
      "hive mount ~/Hive --swarm 8", "cp -a ~/Documents ~/Hive/", "hive flush", "hive status",
      "hive swarm kill --fraction 0.3", "hive unmount",
    ]),
    ...prose("A friend's machine keeps shards of yours, and yours keep shards of theirs:"),
    ...display(["hive invite                 # there", "hive join hive2...          # here"]),
    ...prose("Everything back on an empty machine:"),
    ...display([
      "hive recover --peer /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo... < words.txt", "hive mount",
    ]),
  ];
}

/** A list of terms, each a macro line with what it means. */
function tagged(rows: readonly (readonly [tag: string, text: string])[]): string[] {
  const items = rows.flatMap(([tag, text]) => [`.It ${tag}`, ...prose(`${capital(text)}.`)]);
  return [".Bl -tag -width Ds", ...items, ".El"];
}

function display(lines: readonly string[]): string[] {
  return [".Bd -literal -offset indent", ...lines.map(escape), ".Ed"];
}

/** Sentences on lines of their own, as mdoc wants them; `code` in bold, name(7) as a reference. */
function prose(text: string): string[] {
  const sentences = text.replace(/(?<=[^.]\.|\.`) (?=[A-Z`])/g, "\n").split("\n");
  return sentences.flatMap((sentence) => marked(escape(sentence)));
}

function marked(sentence: string): string[] {
  const bold = sentence.replace(/`([^`]*)`/g, "\\fB$1\\fR");
  return bold
    .replace(/ ?\b(hive(?:\\-format|\\-policy)?|mount|fstab|df)\(([1-8])\)([.,;]?)/g, "\n.Xr $1 $2 $3\n")
    .split("\n")
    .map((line) => line.trim().replaceAll(/^(\.Xr .*?)\\-/g, "$1-"))
    .filter((line) => line !== "");
}

function escape(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return plain.replace(/^([.'])/, "\\&$1");
}

function capital(text: string): string {
  // A value that stands first stays as it must be typed.
  if (/^[a-z]+ \(/.test(text) || !/^[a-z]+\b/.test(text)) return text;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  writeFileSync(manualFile, renderManual());
  process.stderr.write(`wrote ${join("man", basename(manualFile))}\n`);
}
