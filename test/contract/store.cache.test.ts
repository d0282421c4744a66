/** The cache on a real disk, against the contract of its port. */
import { temporaryCache } from "../support/temporary-cache.ts";
import { storeContract } from "./store.ts";

storeContract("cache", () => temporaryCache());
