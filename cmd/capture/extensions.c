/* The tables through which a library calls another one's functions; see extensions.h. They are found as the
 * dynamic linker finds them (System V ABI, chapter 5: dynamic section, relocations), and what the linker
 * has made read-only is so again afterwards. */
#define _GNU_SOURCE
#include "extensions.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tracer.h"

/* Kinds of relocations that put the address of a function into a slot. */
#if defined(__x86_64__)
enum { SLOT_KINDS = 3 };
static const uint32_t slot_kinds[SLOT_KINDS] = {R_X86_64_JUMP_SLOT, R_X86_64_GLOB_DAT, R_X86_64_64};
#elif defined(__aarch64__)
enum { SLOT_KINDS = 3 };
static const uint32_t slot_kinds[SLOT_KINDS] = {R_AARCH64_JUMP_SLOT, R_AARCH64_GLOB_DAT, R_AARCH64_ABS64};
#else
#error "the relocations of this processor are unknown"
#endif

static int (*python_track)(unsigned domain, uintptr_t address, size_t size);
static int (*python_untrack)(unsigned domain, uintptr_t address);
static void *(*system_dlopen)(const char *path, int mode);

static int track(unsigned domain, uintptr_t address, size_t size)
{
	tracer_track(domain, address, size);
	return python_track(domain, address, size);
}

static int untrack(unsigned domain, uintptr_t address)
{
	tracer_untrack(domain, address);
	return python_untrack(domain, address);
}

/* Before anything in the new library runs that could allocate, but for its constructors. */
static void *open_library(const char *path, int mode)
{
	void *library = system_dlopen(path, mode);
	if (library != NULL)
		extensions_divert();
	return library;
}

static struct diversion {
	const char *name;
	void (*ours)(void);
	bool of_python_only; /* others' libraries are found by who opens them */
} diversions[] = {
	{"PyTraceMalloc_Track", (void (*)(void))track, false},
	{"PyTraceMalloc_Untrack", (void (*)(void))untrack, false},
	{"dlopen", (void (*)(void))open_library, true},
};

struct library {
	uintptr_t base, relro, relro_end; /* the last two in whole pages */
	const char *names;
	const ElfW(Sym) *symbols;
	bool is_python;
};

static void set_slot(const struct library *library, uintptr_t slot, void (*function)(void))
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = slot & -page;
	if (memcmp((void *)slot, &function, sizeof function) == 0)
		return;
	bool is_guarded = slot >= library->relro && slot < library->relro_end;
	if (is_guarded && mprotect((void *)at, page, PROT_READ | PROT_WRITE) < 0)
		return;
	__atomic_store_n((uintptr_t *)slot, (uintptr_t)function, __ATOMIC_RELEASE);
	if (is_guarded)
		(void)mprotect((void *)at, page, PROT_READ);
}

static bool sets_slot(uint32_t kind)
{
	for (size_t i = 0; i < SLOT_KINDS; i++)
		if (slot_kinds[i] == kind)
			return true;
	return false;
}

static void divert_relocations(const struct library *library, const ElfW(Rela) *relocations, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t symbol = (uint32_t)ELF64_R_SYM(relocations[i].r_info);
		if (symbol == 0 || !sets_slot((uint32_t)ELF64_R_TYPE(relocations[i].r_info)))
			continue;
		const char *name = library->names + library->symbols[symbol].st_name;
		for (size_t j = 0; j < sizeof diversions / sizeof *diversions; j++)
			if (strcmp(name, diversions[j].name) == 0 &&
			    (!diversions[j].of_python_only || library->is_python))
				set_slot(library, library->base + relocations[i].r_offset, diversions[j].ours);
	}
}

static void divert_library(struct library *library, const ElfW(Dyn) *dynamic)
{
	const ElfW(Rela) *tables[2] = {NULL, NULL}; /* of functions, and of data */
	size_t sizes[2] = {0, 0};
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		uintptr_t value = dynamic->d_un.d_ptr;
		/* Whether the linker has made it an address depends on the linker. */
		uintptr_t address = value < library->base ? library->base + value : value;
		switch (dynamic->d_tag) {
		case DT_STRTAB:
			library->names = (const char *)address;
			break;
		case DT_SYMTAB:
			library->symbols = (const ElfW(Sym) *)address;
			break;
		case DT_JMPREL:
			tables[0] = (const ElfW(Rela) *)address;
			break;
		case DT_PLTRELSZ:
			sizes[0] = value;
			break;
		case DT_RELA:
			tables[1] = (const ElfW(Rela) *)address;
			break;
		case DT_RELASZ:
			sizes[1] = value;
			break;
		default:
			break;
		}
	}
	for (size_t i = 0; i < 2; i++)
		if (tables[i] != NULL && library->names != NULL && library->symbols != NULL)
			divert_relocations(library, tables[i], sizes[i] / sizeof *tables[i]);
}

struct scan {
	size_t number; /* of the library */
};

/* The linker's own lock is held. New libraries stand behind those that are known, unless some went. */
static int look_at_library(struct dl_phdr_info *info, size_t size, void *data)
{
	static size_t known;
	static unsigned long long gone;
	struct scan *scan = data;
	(void)size;
	if (scan->number == 0 && gone != info->dlpi_subs)
		known = 0;
	gone = info->dlpi_subs;
	if (scan->number++ < known)
		return 0;
	known = scan->number;
	struct library library = {.base = info->dlpi_addr};
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), python = (uintptr_t)python_track;
	const ElfW(Dyn) *dynamic = NULL;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;
		if (part->p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)start;
		if (part->p_type == PT_GNU_RELRO) {
			library.relro = start & -page;
			library.relro_end = end & -page;
		}
		if (part->p_type == PT_LOAD && python >= start && python < end)
			library.is_python = true;
	}
	/* That of the kernel has no calls, and addresses in a way of its own. */
	if (dynamic != NULL && strstr(info->dlpi_name, "vdso") == NULL)
		divert_library(&library, dynamic);
	return 0;
}

static bool look_up(void *function, const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	memcpy(function, &symbol, sizeof symbol);
	return symbol != NULL;
}

void extensions_divert(void)
{
	struct scan scan = {.number = 0};
	if ((python_track == NULL || python_untrack == NULL || system_dlopen == NULL) &&
	    (!look_up(&python_track, "PyTraceMalloc_Track") || !look_up(&python_untrack, "PyTraceMalloc_Untrack") ||
	     !look_up(&system_dlopen, "dlopen")))
		return;
	dl_iterate_phdr(look_at_library, &scan);
}
