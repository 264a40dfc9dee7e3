/* SPDX-License-Identifier: Apache-2.0 */
/* See testing.h. What fails here is the machine's fault, so it ends the test program. */
#include "os/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

void testing_folder_make(struct testing_folder *folder)
{
	const char *top = getenv("TMPDIR");

	snprintf(folder->path, sizeof(folder->path), "%s/mailferry-os-XXXXXX", top ? top : P_tmpdir);
	if (!mkdtemp(folder->path))
		abort();
}

const char *testing_path(struct testing_folder *folder, const char *name)
{
	snprintf(folder->file, sizeof(folder->file), "%s/%s", folder->path, name);
	return folder->file;
}

void testing_folder_remove(struct testing_folder *folder)
{
	DIR *dir = opendir(folder->path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlink(testing_path(folder, entry->d_name));
	if (dir)
		closedir(dir);
	rmdir(folder->path);
}

void testing_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) < 0)
		abort();
}

struct buf testing_read(const char *path)
{
	struct buf content = BUF_NULL;
	FILE *f = fopen(path, "re");

	if (!f)
		return content;
	content.n = fread(buf_reserve(&content, 100000), 1, 100000, f);
	content.p[content.n] = '\0';
	fclose(f);
	return content;
}

int testing_fork(int (*fn)(void *arg), void *arg, const char *variable, const char *value)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0) {
		if (variable)
			setenv(variable, value, 1);
		_exit(fn(arg));
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
