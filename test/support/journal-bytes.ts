/** The journal files of a store, looked at from outside: which is the newest, and where it ends. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type FileScan, scanJournalFile } from "../../src/cache/journal/journal-scan.ts";

export interface JournalBytes {
  readonly path: string;
  readonly scan: FileScan;
  readonly sizeBytes: number;
}

/** Those that were ever begun, the newest last. */
export function journalFiles(cache: string): JournalBytes[] {
  const directory = join(cache, "journal");
  const found = readdirSync(directory).map((name) => {
    const path = join(directory, name);
    const bytes = readFileSync(path);
    return { path, scan: scanJournalFile(bytes), sizeBytes: bytes.length };
  });
  const begun = found.filter(({ scan }) => scan.generation > 0);
  return begun.sort((one, other) => one.scan.generation - other.scan.generation);
}
