import { Shard } from './layout.ts';
import { limits } from './limits.ts';

/* The change log of a shard: which records changed last. Written in `ShardMutations`, read by `ShardView`. */

/** Where the log names the record of change k. */
export const logAt = (shardAt: number, k: number): number => shardAt + Shard.log + (k & (limits.changesLogged - 1));

/** How many changes were completed from one change sequence to another. */
export const changesBetween = (from: number, to: number): number => ((to >>> 1) - (from >>> 1)) & 0x7fffffff;
