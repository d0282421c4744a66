/**
 * What libp2p and the DHT remember of others (peer addresses, DHT records), in memory and bounded:
 * the entry that was written longest ago makes room. What must outlive a restart is in the book.
 */
import { NotFoundError } from "@libp2p/interface";
import { BaseDatastore } from "datastore-core";
import { limits } from "../../base/limits.ts";

type Key = Parameters<BaseDatastore["get"]>[0];
type Pair = { key: Key; value: Uint8Array };

export class Remembered extends BaseDatastore {
  readonly #entries = new Map<string, Pair>();
  #bytes = 0;

  /** An entry that is too long is passed over: it is told to whoever asks for that peer. */
  override put(key: Key, value: Uint8Array): Key {
    if (value.length > limits.peers.rememberedEntryBytesMax) return key;
    this.#forget(key.toString());
    this.#entries.set(key.toString(), { key, value });
    this.#bytes += value.length;
    while (this.#overfull()) this.#forget(this.#entries.keys().next().value as string);
    return key;
  }

  override get(key: Key): Uint8Array {
    const entry = this.#entries.get(key.toString());
    if (entry === undefined) throw new NotFoundError("not remembered");
    return entry.value;
  }

  override has(key: Key): boolean {
    return this.#entries.has(key.toString());
  }

  override delete(key: Key): void {
    this.#forget(key.toString());
  }

  override *_all(): Generator<Pair> {
    yield* [...this.#entries.values()];
  }

  override *_allKeys(): Generator<Key> {
    for (const { key } of [...this.#entries.values()]) yield key;
  }

  #overfull(): boolean {
    const { rememberedMax, rememberedBytesMax } = limits.peers;
    return this.#entries.size > rememberedMax || this.#bytes > rememberedBytesMax;
  }

  #forget(name: string): void {
    this.#bytes -= this.#entries.get(name)?.value.length ?? 0;
    this.#entries.delete(name);
  }
}
