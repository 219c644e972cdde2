/* SPDX-License-Identifier: MIT */
/*
 * Runs a target on files, without a fuzzer: `fuzz_X FILE...`, a directory means the files in it.
 * What a fuzzer found once is thereby a test for ever, with any compiler.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

#define LONGEST (1u << 20)

static unsigned long files;

static void run_file(const char *path)
{
    static uint8_t data[LONGEST];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    size = fread(data, 1, sizeof(data), file);
    fclose(file);
    /* The last name is the culprit if the target ends us. */
    fprintf(stderr, "%s\n", path);
    /* In memory of its own size, so that ASan sees a step beyond it. */
    uint8_t *copy = malloc(size + (size == 0));
    for (size_t i = 0; i < size; i++)
        copy[i] = data[i];
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    files++;
}

static void run(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    char name[4096];

    if (directory == NULL) {
        run_file(path);
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            run_file(name);
    }
    closedir(directory);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    /* Behind a transcript it is a remark. */
    printf("%s%lu inputs\n", getenv("PFNLAB_SCRIPT") != NULL ? "; " : "", files);
    return files > 0 ? 0 : 2;
}
