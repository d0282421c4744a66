/** The habits of STYLE that a machine can hold us to: rooms, lengths, banned calls. */
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "tap";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "src");

const codeMap = text(join(source, "README.md"));

/** Who may import whom, as the code map has it, with the reasons. */
const rooms = new Map(rowsUnder(codeMap, "| room | what it is for | may import |").map(([name, , may]) => {
  return [nameIn(name), may === "nothing" ? [] : (may as string).split(/[ ,]+/)];
}));

const bans: readonly { readonly call: RegExp; readonly allowed: RegExp; readonly why: string }[] = [
  { call: /\bDate\.now\(|new Date\(\)/, allowed: /^(base|cli)\//, why: "use needs.clock" },
  { call: /\bMath\.random\(/, allowed: /^$/, why: "use needs.random" },
  { call: /\bset(Timeout|Interval)\(/, allowed: /^(base)\//, why: "use needs.clock" },
  { call: /\bprocess\.env\b/, allowed: /^cli\//, why: "only the command line reads it" },
  { call: /\bprocess\.argv\b/, allowed: /^cli\//, why: "only the command line reads it" },
  { call: /\bconsole\./, allowed: /^$/, why: "cli prints, others log" },
  { call: /:\s*any\b|<any>|\bas any\b/, allowed: /^$/, why: "types earn their keep" },
  { call: /^\s*(export\s+)?(const\s+)?enum\b|^\s*namespace\b/, allowed: /^$/, why: "erasable only" },
];

/** Functions over the limit that we have not yet cut; shrink this list, never grow it. */
const longFunctions: readonly string[] = [];

const files = list(source).filter((file) => file.endsWith(".ts"));

test("only hive.ts and README.md lie loose in src", (t) => {
  const loose = readdirSync(source).filter((name) => statSync(join(source, name)).isFile());
  t.strictSame(loose.filter((name) => !["hive.ts", "README.md"].includes(name)), []);
  t.end();
});

test("the code map has every room, a README every folder of its room, and neither what is not there", (t) => {
  const foldersOf = (room: string) => readdirSync(join(source, room), { withFileTypes: true })
    .filter((entry) => entry.isDirectory()).map(({ name }) => name);
  t.strictSame([...rooms.keys()].sort(), foldersOf("").sort());
  for (const room of rooms.keys()) t.strictSame([...toldOf(room).folders].sort(), foldersOf(room).sort(), room);
  t.strictSame(circlesIn([...rooms.keys()], (room) => rooms.get(room) ?? []), [], "no room by way of others");
  t.end();
});

test("the code map names every README of a room", (t) => {
  const all = [...rooms.keys()].map((room) => `${room}/README.md`).filter((name) => existsSync(join(source, name)));
  t.strictSame(all.filter((name) => !codeMap.includes(`\`${name}\``)), []);
  t.end();
});

test("a README names what lies loose beside the folders of its room; in base that is words", (t) => {
  const lost = [...rooms.keys()].filter((room) => room !== "base").flatMap((room) => {
    const { told } = toldOf(room);
    const inRoom = readdirSync(join(source, room), { withFileTypes: true });
    if (inRoom.every((entry) => entry.isFile())) return [];
    const loose = inRoom.filter((entry) => entry.isFile()).map(({ name }) => name);
    const named = (name: string) => name === "README.md" || told.includes(`\`${name}\``);
    return loose.filter((name) => !named(name)).map((name) => `${room}/${name}`);
  });
  t.strictSame(lost, []);
  t.end();
});

test("a file that a README or a comment names is there, and no other can be meant", (t) => {
  const readmes = ["src", "test/sim"].flatMap((folder) => list(join(root, folder)));
  const inMaps = readmes.filter((file) => file.endsWith("/README.md")).flatMap((file) => {
    return [...text(file).matchAll(/`([\w./-]+\.(?:ts|mjs|c|md))`/g)].map(([, name]) => {
      return { by: relative(source, file), name: name as string };
    });
  });
  const inComments = files.flatMap((file) => {
    const comments = text(file).match(/\/\*\*[^]*?\*\/|\/\/ .*$/gm) ?? [];
    return [...comments.join("\n").matchAll(/(?<![\w./-])[a-z][\w/-]*\.ts\b/g)].map(([name]) => {
      return { by: relative(source, file), name };
    });
  });
  const unclear = [...inMaps, ...inComments].filter(({ by, name }) => !isClear(by, name));
  t.strictSame(unclear.map(({ by, name }) => `${by} names ${name}`), []);
  t.ok(inMaps.length > 0 && inComments.length > 0, "some are named");
  t.end();
});

test("a room imports only what the table allows", (t) => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .map((target) => roomOf(target))
      .filter((target) => !mayImport(roomOf(file), target))
      .map((target) => `${relative(root, file)} imports ${target}`),
  );
  t.strictSame(wrong, []);
  t.end();
});

test("what runs runs one way: no file imports itself by way of others", (t) => {
  const circles = circlesIn(files, valuesFrom);
  t.strictSame(circles.map((way) => way.map((file) => relative(source, file)).join(" -> ")), []);
  t.end();
});

test("so do the folders of a room, types and all: each imports what its README has before it", (t) => {
  const wrong = files.flatMap((file) => {
    const [room, folder] = placeOf(file);
    const { folders } = toldOf(room);
    return importsOf(file).map(placeOf)
      .filter(([other, inside]) => other === room && folders.indexOf(inside) > folders.indexOf(folder))
      .filter(() => folders.includes(folder))
      .map(([, inside]) => `${relative(source, file)} imports ${inside}`);
  });
  t.strictSame(wrong, []);
  t.end();
});

test("every file says what it is for before anything else", (t) => {
  const silent = files.filter((file) => !/^(#!.*\n)?\/\*\*|^(#!.*\n)?\/\//.test(text(file)));
  t.strictSame(silent.map((file) => relative(root, file)), []);
  t.end();
});

test("files keep to 400 lines and 100 columns", (t) => {
  const wrong = files.flatMap((file) => {
    const lines = text(file).split("\n");
    const wide = lines.findIndex((line) => line.length > 100);
    const name = relative(root, file);
    return [
      ...(lines.length > 401 ? [`${name}: ${lines.length} lines`] : []),
      ...(wide >= 0 ? [`${name}:${wide + 1}: wider than 100 columns`] : []),
    ];
  });
  t.strictSame(wrong, []);
  t.end();
});

test("tests and scripts keep to 120 columns: their names are sentences", (t) => {
  const others = ["test", "scripts"].flatMap((folder) => list(join(root, folder)));
  const wrong = others.filter((file) => /\.(ts|mjs)$/.test(file)).flatMap((file) => {
    const wide = text(file).split("\n").findIndex((line) => line.length > 120);
    return wide >= 0 ? [`${relative(root, file)}:${wide + 1}: wider than 120 columns`] : [];
  });
  t.strictSame(wrong, []);
  t.end();
});

test("functions keep to 70 lines", (t) => {
  const wrong = files.flatMap(longOnes).filter((name) => !longFunctions.includes(name));
  t.strictSame(wrong, []);
  t.end();
});

test("time, dice, environment and print come in by the constructor", (t) => {
  const wrong = files.flatMap((file) => {
    const name = relative(source, file);
    const lines = text(file).split("\n");
    return bans.flatMap(({ call, allowed, why }) =>
      lines
        .map((line, index) => ({ line: withoutComment(line), at: `${name}:${index + 1}: ${why}` }))
        .filter(({ line }) => call.test(line) && !allowed.test(name))
        .map(({ at }) => at),
    );
  });
  t.strictSame(wrong, []);
  t.end();
});

test("no barrels and no bags", (t) => {
  const names = files.map((file) => relative(source, file));
  t.strictSame(names.filter((name) => /(^|\/)(index|utils?|helpers?|common)\.ts$/.test(name)), []);
  t.end();
});

/** Each way that leads back to where it began. */
function circlesIn(all: readonly string[], next: (one: string) => readonly string[]): string[][] {
  const circles = new Map<string, string[]>();
  const done = new Set<string>();
  const visit = (one: string, way: readonly string[]): void => {
    const before = way.indexOf(one);
    const circle = [...way.slice(before), one];
    if (before >= 0) circles.set(circle.join(), circle);
    if (before >= 0 || done.has(one)) return;
    for (const target of next(one)) visit(target, [...way, one]);
    done.add(one);
  };
  for (const one of all) visit(one, []);
  return [...circles.values()];
}

function mayImport(from: string, to: string): boolean {
  if (from === "hive.ts" || from === to) return true;
  return rooms.get(from)?.includes(to) ?? false;
}

/** The cells of every table of a page that begins with this line. */
function rowsUnder(page: string, head: string): string[][] {
  return page.split(`${head}\n`).slice(1).flatMap((table) => {
    const [, ...rows] = table.slice(0, table.indexOf("\n\n")).split("\n");
    return rows.map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()));
  });
}

/** What a room's README says of its inside: what lies loose there, and its folders in order. */
function toldOf(room: string): { readonly told: string; readonly folders: readonly string[] } {
  const page = join(source, room, "README.md");
  const head = "| folder | its idea |";
  const [told = "", table] = existsSync(page) ? text(page).split(head) : [];
  if (table === undefined) return { told, folders: [] };
  return { told, folders: rowsUnder(text(page), head).map(([name]) => nameIn(name)) };
}

/** Its room, and the folder of that: "" where it lies loose. */
function placeOf(file: string): [room: string, folder: string] {
  const [room = "", ...rest] = relative(source, file).split("/");
  return [room, rest.length > 1 ? rest[0] as string : ""];
}

/** Of a folder, as a row begins with it. */
function nameIn(cell: string | undefined): string {
  return (cell as string).replace(/^`|\/`$/g, "");
}

/** By its whole path; beside who names it; loose in a room, in the code map; or the only one of the room. */
function isClear(by: string, name: string): boolean {
  if ([join(source, name), join(root, name), join(source, dirname(by), name)].some(existsSync)) return true;
  const [room = ""] = by.split("/");
  if (room === by) return [...rooms.keys()].some((one) => existsSync(join(source, one, name)));
  return files.filter((file) => file.startsWith(join(source, room, "/")) && file.endsWith(`/${name}`)).length === 1;
}

function roomOf(file: string): string {
  return relative(source, file).split("/")[0] as string;
}

function importsOf(file: string): string[] {
  const found = text(file).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found]
    .map((match) => resolve(dirname(file), match[1] as string))
    .filter((target) => target.startsWith(source));
}

/** Of those imports that are there when the code runs: types are erased. */
function valuesFrom(file: string): string[] {
  const found = text(file).matchAll(/^(?:import|export) (?!type )([^;"]*?)from\s+"(\.[^"]+)"/gm);
  return [...found]
    .filter(([, names]) => (names as string).replace(/[{}]/g, "").split(",").some((name) => {
      return name.trim() !== "" && !name.trim().startsWith("type ");
    }))
    .map((match) => resolve(dirname(file), match[2] as string))
    .filter((target) => target.startsWith(source));
}

/** Top-level functions and methods by their indentation: from the opening line to its brace. */
function longOnes(file: string): string[] {
  const lines = text(file).split("\n");
  const words = /(?:export |async |static |private |get |set |function |\*|#)*/.source;
  const opening = new RegExp(`^(\\s*)${words}([\\w$]+)\\s*(?:<[^>]*>)?\\(`);
  return lines.flatMap((line, start) => {
    const match = opening.exec(line);
    if (match === null || /^\s*(if|for|while|switch|return|await|test)\b/.test(line)) return [];
    const indent = match[1] as string;
    const end = lines.findIndex((later, index) => index > start && later.startsWith(`${indent}}`));
    const isWithin = (inner: string) =>
      inner.trim() === "" || inner.startsWith(`${indent} `) || inner.startsWith(`${indent})`);
    const isWhole = end >= 0 && lines.slice(start + 1, end).every(isWithin);
    if (!isWhole || end - start <= 70) return [];
    return [`${relative(root, file)}:${match[2]} (${end - start + 1} lines)`];
  });
}

function withoutComment(line: string): string {
  return line.replace(/\/\/.*$/, "").replace(/^\s*\*.*$/, "").replace(/^\s*\/\*\*.*$/, "");
}

function text(file: string): string {
  return readFileSync(file, "utf8");
}

function list(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? list(path) : [path];
  });
}
