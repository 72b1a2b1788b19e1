/* A plugin of qemu-user that counts the instructions of the guest, by block of code and by thread.
 *
 *   qemu-aarch64 -L SYSROOT -plugin count.so,out=FILE[,from=SECONDS,to=SECONDS] PROGRAM ...
 *
 *   block translated  -> entry (address, instructions)
 *   block executed    -> entry's counter of this thread += 1
 *   system call       -> its number's counter += 1; and a look at the clock: counters are cleared at `from`, written at `to`
 *   a wait for events -> what this thread executed since its last one was a turn of its loop; the longest is kept
 *   the end           -> FILE, unless it was written before
 *
 * FILE holds lines `block ADDRESS INSTRUCTIONS THREAD COUNT`, `call NUMBER COUNT`, `turn INSTRUCTIONS`, `seconds S`, and
 * the memory map of this process as `map ...`, in which the guest's files stand where the guest has them plus an offset
 * (-B of qemu, 0 for 64-bit guests). Counting goes by thread, so that it is exact with several of them. Nothing in Debian has qemu's header
 * for plugins; these are the prototypes of version 1 of that interface.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info qemu_info_t;
enum { NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned int, void *), int, void *);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned int, int64_t, uint64_t,
                                          uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

int qemu_plugin_version = 1;

enum { THREADS = 16, CALLS = 512, SLOTS = 1 << 18 };

/* A block may be translated again, with another length: then it is another entry. */
struct block {
    uint64_t address, instructions;
    uint64_t count[THREADS];
};

static struct block *blocks[SLOTS];
static uint64_t calls[CALLS];
static uint64_t turn[THREADS], longest_turn;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *out;
static double from, to, began, cleared;
static bool is_written;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static struct block *entry(uint64_t address, uint64_t instructions)
{
    size_t slot = (address * 0x9e3779b97f4a7c15u + instructions) % SLOTS;
    for (size_t step = 0; step < SLOTS; step++, slot = (slot + 1) % SLOTS) {
        if (!blocks[slot]) {
            blocks[slot] = calloc(1, sizeof(struct block));
            blocks[slot]->address = address;
            blocks[slot]->instructions = instructions;
            return blocks[slot];
        }
        if (blocks[slot]->address == address && blocks[slot]->instructions == instructions)
            return blocks[slot];
    }
    fprintf(stderr, "count: more than %d blocks\n", SLOTS);
    exit(1);
}

static void executed(unsigned int thread, void *data)
{
    struct block *block = data;
    block->count[thread % THREADS]++;
    turn[thread % THREADS] += block->instructions;
}

/* epoll_pwait of aarch64, epoll_wait and epoll_pwait of arm, epoll_pwait2 of both. */
static bool waits_for_events(int64_t number)
{
    return number == 22 || number == 252 || number == 346 || number == 441;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    pthread_mutex_lock(&lock);
    struct block *block = entry(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));
    pthread_mutex_unlock(&lock);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, block);
}

static void clear(void)
{
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (blocks[slot])
            memset(blocks[slot]->count, 0, sizeof(blocks[slot]->count));
    memset(calls, 0, sizeof(calls));
    longest_turn = 0;
    cleared = now();
}

static void write_down(void)
{
    FILE *file = fopen(out, "w"), *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    if (!file || !maps) {
        perror("count");
        exit(1);
    }
    fprintf(file, "seconds %.6f\nturn %lu\n", now() - cleared, longest_turn);
    for (size_t slot = 0; slot < SLOTS; slot++)
        for (int thread = 0; blocks[slot] && thread < THREADS; thread++)
            if (blocks[slot]->count[thread])
                fprintf(file, "block %#lx %lu %d %lu\n", blocks[slot]->address, blocks[slot]->instructions, thread,
                        blocks[slot]->count[thread]);
    for (int number = 0; number < CALLS; number++)
        if (calls[number])
            fprintf(file, "call %d %lu\n", number, calls[number]);
    while (fgets(line, sizeof(line), maps))
        fprintf(file, "map %s", line);
    fclose(maps);
    fclose(file);
    is_written = true;
}

static void called(qemu_plugin_id_t id, unsigned int thread, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                   uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    pthread_mutex_lock(&lock);
    if (number >= 0 && number < CALLS)
        calls[number]++;
    if (waits_for_events(number)) {
        uint64_t *this = &turn[thread % THREADS];
        longest_turn = *this > longest_turn ? *this : longest_turn;
        *this = 0;
    }
    double passed = now() - began;
    if (from > 0 && cleared == began && passed >= from)
        clear();
    if (to > 0 && !is_written && passed >= to)
        write_down();
    pthread_mutex_unlock(&lock);
}

static void ended(qemu_plugin_id_t id, void *nothing)
{
    (void)id, (void)nothing;
    if (!is_written)
        write_down();
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    began = cleared = now();
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            out = strdup(argv[i] + 4);
        else if (!strncmp(argv[i], "from=", 5))
            from = atof(argv[i] + 5);
        else if (!strncmp(argv[i], "to=", 3))
            to = atof(argv[i] + 3);
        else
            return 1;
    }
    if (!out)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
