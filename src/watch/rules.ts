/**
 * What is not backed up: rules as git has them, from each folder's `.gitignore` and then its
 * `.hiveignore`, which may take back what the other says. The last rule that fits a path decides,
 * those of a folder further down after those above it; below an ignored folder nobody looks. Paths
 * are bytes, one character each. Pure.
 */
export const ruleFiles = [".gitignore", ".hiveignore"] as const;

interface Rule {
  readonly isIgnored: boolean;
  readonly foldersOnly: boolean;
  readonly shape: RegExp;
}

/** The rules that stand in one folder. */
export interface FolderRules {
  /** The folder, from the root that is watched; "" for that itself. */
  readonly folder: string;
  readonly rules: readonly Rule[];
}

export function parseRules(folder: string, texts: readonly string[]): FolderRules {
  const lines = texts.flatMap((text) => text.split(/\r?\n/));
  return { folder, rules: lines.flatMap((line) => ruleOf(line) ?? []) };
}

/** `chain` has the folders from the root down to the one that the path is in. */
export function isIgnored(
  chain: readonly FolderRules[], path: string, { isFolder }: { readonly isFolder: boolean },
): boolean {
  for (const { folder, rules } of chain.toReversed()) {
    const inside = folder === "" ? path : path.slice(folder.length + 1);
    const last = rules.findLast(({ shape, foldersOnly }) => {
      return (isFolder || !foldersOnly) && shape.test(inside);
    });
    if (last !== undefined) return last.isIgnored;
  }
  return false;
}

/** Undefined for a comment, an empty line, and a pattern that can fit nothing. */
function ruleOf(line: string): Rule | undefined {
  const text = line.replace(/(?<!\\)\s+$/, "");
  if (text === "" || text.startsWith("#")) return undefined;
  const isTakenBack = text.startsWith("!");
  const pattern = isTakenBack ? text.slice(1) : text;
  const foldersOnly = pattern.endsWith("/");
  const bare = foldersOnly ? pattern.slice(0, -1) : pattern;
  const shape = bare === "" ? undefined : shapeOf(bare);
  return shape === undefined ? undefined : { isIgnored: !isTakenBack, foldersOnly, shape };
}

/** A slash at the beginning or in the middle ties a pattern to its folder. */
function shapeOf(pattern: string): RegExp | undefined {
  const isTied = pattern.includes("/");
  const body = expressionOf(pattern.startsWith("/") ? pattern.slice(1) : pattern);
  try {
    return new RegExp(`^${isTied ? "" : "(?:.*/)?"}${body}$`, "s");
  } catch {
    // Such as a range whose end comes before its beginning: git takes that to fit nothing.
    return undefined;
  }
}

/** One character of a UTF-8 name, which is several of these. */
const oneCharacter = "(?:[^/\\x80-\\xff]|[\\xc0-\\xff][\\x80-\\xbf]*)";

const special: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^\*\*\/(?:\*\*\/)*/y, () => "(?:.*/)?"],
  [/\/\*\*(?:\/\*\*)*\//y, () => "/(?:.*/)?"],
  [/\/\*\*$/y, () => "/.+"],
  [/\*+/y, () => "[^/]*"],
  [/\?/y, () => oneCharacter],
  [/\[([!^]?)(\]?(?:\\.|\[:\w+:\]|[^\]\\])*)\]/y, (match) => classOf(match[1] !== "", match[2])],
  [/\\(.)/sy, (match) => literal(match[1] as string)],
  [/[^]/y, (match) => literal(match[0])],
];

function expressionOf(pattern: string): string {
  let expression = "";
  for (let at = 0; at < pattern.length; ) {
    for (const [shape, translate] of special) {
      shape.lastIndex = at;
      const match = shape.exec(pattern);
      if (match === null) continue;
      expression += translate(match);
      at += match[0].length;
      break;
    }
  }
  return expression;
}

const namedClasses: Readonly<Record<string, string>> = {
  alpha: "a-zA-Z", digit: "0-9", alnum: "a-zA-Z0-9", upper: "A-Z", lower: "a-z",
  space: "\\s", xdigit: "0-9a-fA-F", punct: "!-\\/:-@\\[-`{-~", blank: " \\t",
};

function classOf(isOther: boolean, members = ""): string {
  const inside = members
    .replace(/\[:(\w+):\]|\\(.)|[\]\[^\\]/gs, (all, name?: string, escaped?: string) => {
      if (name !== undefined) return namedClasses[name] ?? "";
      return `\\${escaped ?? all}`;
    });
  return isOther ? `(?!/)[^${inside}]` : `(?!/)[${inside}]`;
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
