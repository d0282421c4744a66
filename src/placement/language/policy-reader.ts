/** Reads a policy's tokens one by one, with faults that point at what may not stand there. */
import { assert } from "../../base/errors.ts";
import { type Token, faultAt, tokensOf, unexpected } from "./policy-tokens.ts";

export class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  /** The token that comes next; at the end it is the end, for ever. */
  get next(): Token {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)];
    assert(token !== undefined, "a text has an end");
    return token;
  }

  take(): Token {
    const token = this.next;
    this.#at++;
    return token;
  }

  isNext(...texts: readonly string[]): boolean {
    const { kind, text } = this.next;
    return (kind === "word" || kind === "sign") && texts.includes(text);
  }

  /** Takes the word or sign if it comes next. */
  skip(text: string): boolean {
    const isHere = this.isNext(text);
    if (isHere) this.#at++;
    return isHere;
  }

  expect(...texts: readonly string[]): void {
    for (const text of texts) {
      if (!this.skip(text)) throw unexpected(this.next, JSON.stringify(text));
    }
  }

  /** One of the words. */
  oneOf<Word extends string>(words: readonly Word[], what: string): Word {
    const found = words.find((word) => this.isNext(word));
    if (found === undefined) throw unexpected(this.next, `${what} (${words.join(", ")})`);
    this.#at++;
    return found;
  }

  /** A name: a word, or anything in quotes. */
  name(what: string): Token {
    const { kind } = this.next;
    if (kind === "word" || kind === "quoted") return this.take();
    throw unexpected(this.next, what);
  }

  /** A whole number, perhaps with its unit behind it. */
  count(what: string, { min, max, unit = "" }: {
    readonly min: number; readonly max: number; readonly unit?: string;
  }): number {
    return this.number(what, { min, max, unit, shape: /^\d{1,9}$/ });
  }

  number(what: string, { min, max, unit = "", shape = /^\d{1,9}(\.\d{1,3})?$/ }: {
    readonly min: number; readonly max: number; readonly unit?: string; readonly shape?: RegExp;
  }): number {
    const token = this.take();
    const isJoined = unit !== "" && token.text.endsWith(unit);
    const digits = isJoined ? token.text.slice(0, -unit.length) : token.text;
    const value = shape.test(digits) && token.kind === "word" ? Number(digits) : NaN;
    if (Number.isNaN(value)) throw unexpected(token, what);
    if (unit !== "" && !isJoined) this.expect(unit);
    if (value >= min && value <= max) return value;
    throw faultAt(token, `${value} is not from ${min} to ${max}`);
  }
}
