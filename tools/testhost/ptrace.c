/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two of the C library's functions as User Mode Linux needs them; it is started with this library in front of that one.
 *
 * ptrace: kernels before 6.14 give room for 2696 bytes of a process's vector registers. A processor with more (AMX) makes
 * PTRACE_SETREGSET refuse so few, so they are put into the whole.
 *
 * execvp: that is how a guest that reboots starts its kernel anew. The program ends instead, with a status of its own, and
 * whoever started it starts it again, with a new network.
 *
 * Stands alone, since it is loaded with the C library of another release than the one it is compiled on.
 */

#define SYS_EXECVE 59
#define SYS_PTRACE 101
#define SYS_EXIT_GROUP 231

/* As in uml.py. */
#define REBOOTS 64

#define PTRACE_PEEKUSER 3
#define PTRACE_GETREGSET 0x4204
#define PTRACE_SETREGSET 0x4205
#define NT_X86_XSTATE 0x202

struct part {
	char *base;
	unsigned long length;
};

extern int *__errno_location(void);
extern char **environ;

static long kernel(long number, long a, long b, long c, long d)
{
	long result;
	register long fourth __asm__("r10") = d;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
			 : "rcx", "r11", "memory");
	return result;
}

static long answer(long result)
{
	if (result >= 0)
		return result;
	*__errno_location() = -result;
	return -1;
}

long ptrace(long request, long pid, long address, void *data)
{
	static char registers[65536];
	struct part whole = { registers, sizeof(registers) }, *given = data;
	long word = 0, result;

	if (request == PTRACE_SETREGSET && address == NT_X86_XSTATE &&
	    kernel(SYS_PTRACE, PTRACE_GETREGSET, pid, address, (long)&whole) == 0 && whole.length > given->length) {
		for (unsigned long i = 0; i < given->length; i++)
			registers[i] = given->base[i];
		data = &whole;
	}
	/* The kernel writes the word that it was asked for, and the C library returns it. */
	if (request >= 1 && request <= PTRACE_PEEKUSER)
		data = &word;
	result = answer(kernel(SYS_PTRACE, request, pid, address, (long)data));
	if (result == 0 && data == &word) {
		*__errno_location() = 0;
		return word;
	}
	return result;
}

int execvp(const char *file, char *const arguments[])
{
	const char *itself = "/proc/self/exe";
	unsigned long i = 0;

	/* How 5.10 begins: once more, without address randomization. */
	while (file[i] && file[i] == itself[i])
		i++;
	if (file[i] == itself[i])
		return answer(kernel(SYS_EXECVE, (long)file, (long)arguments, (long)environ, 0));
	for (;;)
		kernel(SYS_EXIT_GROUP, REBOOTS, 0, 0, 0);
}
