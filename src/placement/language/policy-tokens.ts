/** The words of a policy's text, each with its place, so that a fault can point at it. Pure. */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

export interface Token {
  readonly kind: "word" | "quoted" | "sign" | "end";
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** In this order: what is skipped, then words, quoted names and signs. */
const shapes =
  /(\s+|#[^\n]*)|([A-Za-z0-9][A-Za-z0-9.@_-]*%?)|"((?:[^"\\\n]|\\.)*)"|(>=|<=|[{}()[\],;])/y;

export function tokensOf(text: string): readonly Token[] {
  if (text.length > limits.policy.charsMax) throw tooLong();
  const tokens: Token[] = [];
  const pattern = new RegExp(shapes);
  let [line, column] = [1, 1];
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text);
    if (found === null) throw strange(text, { line, column });
    const token = tokenOf(found, { line, column });
    if (token !== undefined) tokens.push(token);
    const rows = found[0].split("\n");
    line += rows.length - 1;
    column = (rows.at(-1) ?? "").length + (rows.length === 1 ? column : 1);
  }
  return [...tokens, { kind: "end", text: "the end", line, column }];
}

/** What was expected, what stands there, and where. */
export function unexpected(token: Token, expected: string): HiveError {
  const found = token.kind === "end" ? token.text : JSON.stringify(token.text);
  return faultAt(token, `expected ${expected}, found ${found}`);
}

export function faultAt(
  { line, column }: Pick<Token, "line" | "column">, why: string,
): HiveError {
  return new HiveError("Invalid", "policy.parse", `line ${line}, column ${column}: ${why}`);
}

type Place = Pick<Token, "line" | "column">;

function tokenOf(found: RegExpExecArray, place: Place): Token | undefined {
  const [, skipped, word, quoted, sign] = found;
  if (skipped !== undefined) return undefined;
  if (word !== undefined) return { kind: "word", text: word, ...place };
  if (quoted !== undefined) return { kind: "quoted", text: unquoted(quoted, place), ...place };
  return { kind: "sign", text: sign ?? "", ...place };
}

/** Quotes as JSON has them. */
function unquoted(inner: string, place: Place): string {
  try {
    return String(JSON.parse(`"${inner}"`));
  } catch (cause) {
    const why = `a name in quotes that cannot be read: "${inner}"`;
    throw new HiveError("Invalid", "policy.parse", faultAt(place, why).subject, { cause });
  }
}

function strange(text: string, place: Place): HiveError {
  const row = text.split("\n")[place.line - 1] ?? "";
  const sign = [...row.slice(place.column - 1)][0] ?? "";
  return faultAt(place, `${JSON.stringify(sign)} begins no word and no sign`);
}

function tooLong(): HiveError {
  return new HiveError(
    "TooLarge", "policy.parse", `a policy has at most ${limits.policy.charsMax} characters`,
  );
}
