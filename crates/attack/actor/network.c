/* Operations on sockets. All addresses are the stage's own (stage.c): nothing leaves it. */
#include "actor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SOCKETS(name) static int name(int count, char **w)
#define UNUSED (void)count, (void)w

static socklen_t address_of(const char *text, const char *port, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof(*to));
	unsigned short number = htons((unsigned short)atoi(port));
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = number;
		return sizeof(*four);
	}
	inet_pton(AF_INET6, text, &six->sin6_addr);
	six->sin6_family = AF_INET6;
	six->sin6_port = number;
	return sizeof(*six);
}

static int connected(const char *text, const char *port, int kind)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(text, port, &address);
	int fd = socket(address.ss_family, kind | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, length) < 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* connect ADDRESS PORT */
SOCKETS(op_connect)
{
	UNUSED;
	int fd = connected(w[1], w[2], SOCK_STREAM);
	if (fd < 0)
		return -1;
	return close(fd);
}

/* connect-udp ADDRESS PORT */
SOCKETS(op_connect_udp)
{
	UNUSED;
	int fd = connected(w[1], w[2], SOCK_DGRAM);
	if (fd < 0)
		return -1;
	return close(fd);
}

/* send-udp ADDRESS PORT: without connecting first. */
SOCKETS(op_send_udp)
{
	UNUSED;
	struct sockaddr_storage address;
	socklen_t length = address_of(w[1], w[2], &address);
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	ssize_t sent = sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, length);
	close(fd);
	return sent < 0 ? -1 : 0;
}

/* send-message ADDRESS PORT: sendmsg without connecting first. */
SOCKETS(op_send_message)
{
	UNUSED;
	struct sockaddr_storage address;
	socklen_t length = address_of(w[1], w[2], &address);
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct iovec part = { .iov_base = "hello", .iov_len = 5 };
	struct msghdr message = { .msg_name = &address, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent = fd < 0 ? -1 : sendmsg(fd, &message, 0);
	if (fd >= 0)
		close(fd);
	return sent < 0 ? -1 : 0;
}

/* connect-later ADDRESS PORT: does not wait for the answer. */
SOCKETS(op_connect_later)
{
	UNUSED;
	struct sockaddr_storage address;
	socklen_t length = address_of(w[1], w[2], &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	int result = connect(fd, (struct sockaddr *)&address, length);
	result = result < 0 && errno != EINPROGRESS ? -1 : 0;
	close(fd);
	return result;
}

/* take-datagram HOW ADDRESS PORT: a datagram comes, sent by itself, taken by recvfrom or recvmsg. */
SOCKETS(op_take_datagram)
{
	UNUSED;
	struct sockaddr_storage address;
	socklen_t length = address_of(w[2], w[3], &address);
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0)
		return -1;
	int from = connected(w[2], w[3], SOCK_DGRAM);
	if (from < 0)
		return -1;
	char got[16];
	struct sockaddr_storage sender;
	socklen_t size = sizeof(sender);
	struct iovec part = { .iov_base = got, .iov_len = sizeof(got) };
	struct msghdr message = { .msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t result = send(from, "hello", 5, 0);
	if (result >= 0 && !strcmp(w[1], "recvmsg"))
		result = recvmsg(fd, &message, 0);
	else if (result >= 0)
		result = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&sender, &size);
	close(from);
	close(fd);
	return result < 0 ? -1 : 0;
}

/* resolve HOW NAME SERVER: asks for a name's address by sendto or, connected, by send; the stage's name server takes the
 * address from the name's first label ("203-0-113-66.example.org"). */
SOCKETS(op_resolve)
{
	UNUSED;
	unsigned char question[512] = { 0x12, 0x34, 1, 0, 0, 1 };
	size_t length = 12;
	for (const char *label = w[2]; *label;) {
		size_t part = strcspn(label, ".");
		if (part == 0 || part > 63 || length + part + 6 > sizeof(question))
			return -1;
		question[length++] = (unsigned char)part;
		memcpy(question + length, label, part);
		length += part;
		label += part + (label[part] == '.');
	}
	memcpy(question + length, (unsigned char[]){ 0, 0, 1, 0, 1 }, 5);
	length += 5;
	struct sockaddr_storage address;
	socklen_t size = address_of(w[3], "53", &address);
	int connects = !strcmp(w[1], "send");
	int fd = connects ? connected(w[3], "53", SOCK_DGRAM) : socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 10 };
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -1;
	ssize_t result = connects ? send(fd, question, length, 0)
				  : sendto(fd, question, length, 0, (struct sockaddr *)&address, size);
	unsigned char answer[512];
	size = sizeof(address);
	if (result >= 0)
		result = connects ? recv(fd, answer, sizeof(answer), 0)
				  : recvfrom(fd, answer, sizeof(answer), 0, (struct sockaddr *)&address, &size);
	close(fd);
	return result < 0 ? -1 : 0;
}

/* listen ADDRESS PORT: nobody comes. */
SOCKETS(op_listen)
{
	UNUSED;
	struct sockaddr_storage address;
	socklen_t length = address_of(w[1], w[2], &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 4) < 0)
		return -1;
	return close(fd);
}

/* serve ADDRESS PORT [accept4]: listens, and takes one connection, which it makes itself. */
SOCKETS(op_serve)
{
	UNUSED;
	struct sockaddr_storage address;
	socklen_t length = address_of(w[1], w[2], &address);
	int on = 1, fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 4) < 0)
		return -1;
	int pid = fork();
	if (pid == 0) {
		close(fd);
		_exit(connected(w[1], w[2], SOCK_STREAM) < 0);
	}
	int taken = count > 3 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : accept(fd, NULL, NULL);
	close(fd);
	if (taken >= 0)
		close(taken);
	return wait_for(pid) < 0 || taken < 0 ? -1 : 0;
}

/* receive ADDRESS PORT BYTES [HOW]: a connection over which these bytes come, given in hexadecimal digits. */
SOCKETS(op_receive)
{
	UNUSED;
	unsigned char bytes[256];
	size_t length = strlen(w[3]) / 2;
	for (size_t i = 0; i < length && i < sizeof(bytes); i++) {
		char pair[3] = { w[3][2 * i], w[3][2 * i + 1], 0 };
		bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	struct sockaddr_storage address;
	socklen_t size = address_of(w[1], w[2], &address);
	int on = 1, fd = socket(address.ss_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4) < 0)
		return -1;
	int pid = fork();
	if (pid == 0) {
		int taken = accept(fd, NULL, NULL);
		_exit(taken < 0 || write(taken, bytes, length) < 0);
	}
	close(fd);
	int to = connected(w[1], w[2], SOCK_STREAM);
	char got[256];
	struct iovec part = { .iov_base = got, .iov_len = sizeof(got) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	const char *how = count > 4 ? w[4] : "recvfrom";
	ssize_t result = -1;
	if (to >= 0 && !strcmp(how, "read"))
		result = read(to, got, sizeof(got));
	else if (to >= 0 && !strcmp(how, "readv"))
		result = readv(to, &part, 1);
	else if (to >= 0 && !strcmp(how, "recvmsg"))
		result = recvmsg(to, &message, 0);
	else if (to >= 0)
		result = recv(to, got, sizeof(got), 0);
	if (to >= 0)
		close(to);
	return wait_for(pid) < 0 || result < 0 ? -1 : 0;
}

/* stream HOW ADDRESS PORT: a connection becomes this process's standard input, by dup, dup2, dup3, fcntl or connect. */
SOCKETS(op_stream)
{
	UNUSED;
	const char *how = w[1];
	if (!strcmp(how, "connect")) {
		close(0);
		struct sockaddr_storage address;
		socklen_t length = address_of(w[2], w[3], &address);
		int fd = socket(address.ss_family, SOCK_STREAM, 0);
		return fd != 0 || connect(fd, (struct sockaddr *)&address, length) < 0 ? -1 : 0;
	}
	int fd = connected(w[2], w[3], SOCK_STREAM);
	if (fd < 0)
		return -1;
	int result = -1;
	if (!strcmp(how, "dup")) {
		close(0);
		result = dup(fd);
	} else if (!strcmp(how, "dup2")) {
		result = dup2(fd, 0);
	} else if (!strcmp(how, "dup3")) {
		result = dup3(fd, 1, 0);
	} else if (!strcmp(how, "fcntl")) {
		close(0);
		result = fcntl(fd, F_DUPFD, 0);
	} else if (!strcmp(how, "high")) {
		result = fcntl(fd, F_DUPFD, 40);
	} else if (!strcmp(how, "dup2-high")) {
		result = dup2(fd, 41);
	}
	close(fd);
	return result < 0 ? -1 : 0;
}

/* stream-file PATH: a file becomes standard input. */
SOCKETS(op_stream_file)
{
	UNUSED;
	int fd = open(w[1], O_RDONLY | O_CLOEXEC);
	return fd < 0 || dup2(fd, 0) < 0 ? -1 : 0;
}

SOCKETS(op_packet)
{
	UNUSED;
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	return fd < 0 ? -1 : close(fd);
}

/* socket: an ordinary one. */
SOCKETS(op_socket)
{
	UNUSED;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	return fd < 0 ? -1 : close(fd);
}

const struct operation network_operations[] = {
	{ "connect", 2, op_connect }, { "connect-udp", 2, op_connect_udp }, { "send-udp", 2, op_send_udp },
	{ "serve", 2, op_serve }, { "listen", 2, op_listen }, { "send-message", 2, op_send_message },
	{ "connect-later", 2, op_connect_later }, { "take-datagram", 3, op_take_datagram }, { "receive", 3, op_receive },
	{ "resolve", 3, op_resolve }, { "stream", 3, op_stream },
	{ "stream-file", 1, op_stream_file }, { "packet", 0, op_packet }, { "socket", 0, op_socket },
	{ NULL, 0, NULL },
};
