// A plugin for qemu-aarch64: counts what runs between two calls of getppid(2), by block of
// instructions. At each such call it prints what came since the one before, as lines
// "block ADDRESS TIMES INSTRUCTIONS DOTS MULTIPLIES", then "mark", and begins anew.
// DOTS: sdot and udot. MULTIPLIES: of vectors of bytes or words that are added up (smlal, umlal, mla).
//
// What qemu-plugin.h would declare is declared here: Debian has the programs without that file.

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t u64;
struct tb;
struct insn;
void qemu_plugin_register_vcpu_tb_trans_cb(u64 id, void (*callback)(u64, struct tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct tb *, int add_u64, void *counter, u64 by);
void qemu_plugin_register_vcpu_syscall_cb(
    u64 id, void (*callback)(u64, unsigned, int64_t, u64, u64, u64, u64, u64, u64, u64, u64));
size_t qemu_plugin_tb_n_insns(const struct tb *);
u64 qemu_plugin_tb_vaddr(const struct tb *);
struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
const void *qemu_plugin_insn_data(const struct insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { ADD_U64 = 0, GETPPID = 173 };

// Source: Arm Architecture Reference Manual, A-profile, C4.1 (Advanced SIMD three same, three same
// extra, three different, by indexed element).
static const struct { uint32_t mask, bits; } dots[] = {{0x9f20fc00, 0x0e009400}, {0x9f00f400, 0x0f00e000}},
    multiplies[] = {{0x9f20fc00, 0x0e208000}, {0x9f00f400, 0x0f002000}, {0xbf20fc00, 0x0e209400}};

struct block {
    struct block *next;
    u64 address, times, instructions, dots, multiplies;
};
static struct block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define COUNT(table, word, sum) \
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) sum += (word & table[k].mask) == table[k].bits

static void translated(u64 id, struct tb *tb) {
    struct block *block = calloc(1, sizeof *block);
    if (!block) abort();
    block->address = qemu_plugin_tb_vaddr(tb);
    block->instructions = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < block->instructions; i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof word);
        COUNT(dots, word, block->dots);
        COUNT(multiplies, word, block->multiplies);
    }
    pthread_mutex_lock(&lock);
    block->next = blocks;
    blocks = block;
    pthread_mutex_unlock(&lock);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &block->times, 1);
}

static void called(u64 id, unsigned cpu, int64_t number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f, u64 g, u64 h) {
    if (number != GETPPID) return;
    pthread_mutex_lock(&lock);
    for (struct block *each = blocks; each; each = each->next) {
        if (each->times)
            fprintf(stderr, "block %llu %llu %llu %llu %llu\n", (unsigned long long)each->address,
                    (unsigned long long)each->times, (unsigned long long)each->instructions,
                    (unsigned long long)each->dots, (unsigned long long)each->multiplies);
        each->times = 0;
    }
    fprintf(stderr, "mark\n");
    pthread_mutex_unlock(&lock);
}

__attribute__((visibility("default"))) int qemu_plugin_install(u64 id, const void *info, int count, char **words) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
