/*
 * Lets User-Mode Linux run on processors whose register file is larger than it knows. `vm` preloads it.
 *
 * That kernel keeps the extended registers of each guest process in a buffer of 2696 bytes, enough for AVX-512, and
 * gives them back to the processor with PTRACE_SETREGSET. The host takes only a whole XSAVE area. Where the processor
 * has more (AMX tiles: about 11 kB) it refuses the shorter one with EFAULT, and the guest panics:
 * "ptrace set fp regs failed, errno = 14".
 *
 *   kernel's buffer ─► first part of the process's present area ─► whole area ─► host
 *
 * A refused write is therefore done again with the area as it is now, its first part replaced by what the kernel gave.
 * XSTATE_BV, the word that says which components hold something, loses those that the kernel cannot have kept: they
 * start anew. That is AMX alone, which no program in the guest asks for. Reading needs no help: it may be short.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define AREA_BYTES_MAX 65536     /* several times the largest area there is */
#define XSTATE_BV_OFFSET 512     /* Intel SDM volume 1, 13.4.2: first word of the XSAVE header */
#define AMX_FIRST_COMPONENT 17   /* XTILECFG; 18 is XTILEDATA */

/* The kernel calls ptrace from one thread only. */
static char area[AREA_BYTES_MAX] __attribute__((aligned(64)));

static long set_whole_area(pid_t pid, const struct iovec *given)
{
    struct iovec whole = { area, sizeof area };
    uint64_t components;

    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
        return -1;
    memcpy(area, given->iov_base, given->iov_len < whole.iov_len ? given->iov_len : whole.iov_len);
    memcpy(&components, area + XSTATE_BV_OFFSET, sizeof components);
    components &= (UINT64_C(1) << AMX_FIRST_COMPONENT) - 1;
    memcpy(area + XSTATE_BV_OFFSET, &components, sizeof components);
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list rest;
    va_start(rest, request);
    pid_t pid = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *);
    void *data = va_arg(rest, void *);
    va_end(rest);

    /* The C library returns what is peeked; the system call stores it. */
    long word = 0;
    int peeks = request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER;
    long result = syscall(SYS_ptrace, request, pid, address, peeks ? &word : data);
    if (result < 0 && errno == EFAULT && request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
        return set_whole_area(pid, data);
    if (peeks && result >= 0) {
        errno = 0;
        return word;
    }
    return result;
}
