/**
 * What the writer says in shared words and the readers compare with. Per round, which is one life of all names:
 * names below `told` are registered, below `updated` are updated, below `leaving` may be gone, below `gone` are gone.
 */
export const Word = { round: 0, told: 1, leaving: 2, gone: 3, updated: 4, done: 5, count: 6 } as const;
