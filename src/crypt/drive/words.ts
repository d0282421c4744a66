/**
 * A drive's seed as 24 English words (BIP 39: 256 bits of entropy and 8 of checksum) and back.
 * The words are the seed itself, not BIP 39's PBKDF2 of them. Never echoes a word in a message.
 */
import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { HiveError, assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { keyBytes } from "../ciphers/keys.ts";

const wordCount = 24;

const known: ReadonlySet<string> = new Set(wordlist);

export function wordsOfSeed(seed: Uint8Array): string[] {
  assert(seed.length === keyBytes, "a seed has 32 bytes");
  return entropyToMnemonic(seed, wordlist).split(" ");
}

/** Takes any case and any white space between words; says which word is wrong, by its place. */
export function seedOfWords(text: string): Buffer {
  if (text.length > limits.crypt.wordsTextMax) throw wrong("the text is too long for 24 words");
  const words = text.trim().toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (words.length !== wordCount) {
    throw wrong(`${words.length} words given, ${wordCount} needed`);
  }
  const stranger = words.findIndex((word) => !known.has(word));
  if (stranger >= 0) throw wrong(`word ${stranger + 1} of ${wordCount} is not in the list`);
  try {
    return Buffer.from(mnemonicToEntropy(words.join(" "), wordlist));
  } catch {
    // The cause is dropped on purpose: the library's messages may quote the words.
    throw wrong("each word is in the list, but the checksum is wrong: check words and order");
  }
}

function wrong(why: string): HiveError {
  return new HiveError("Usage", "words.parse", why);
}
