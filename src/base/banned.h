/* SPDX-License-Identifier: Apache-2.0 */
/* Included into every source by the build: calls that have bitten everybody become compile errors. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* Their declarations must come first, or the poison would hit the system's own headers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <alloca.h>

/* Some are macros in some headers; a macro cannot be poisoned. */
#undef strcpy
#undef strcat
#undef strncat
#undef sprintf
#undef vsprintf
#undef gets
#undef strtok
#undef strtok_r
#undef atoi
#undef atol
#undef atoll
#undef atof
#undef alloca
#undef asctime
#undef ctime
#undef gmtime
#undef localtime
#undef tmpnam
#undef mktemp

#pragma GCC poison strcpy strcat strncat sprintf vsprintf gets strtok strtok_r
#pragma GCC poison atoi atol atoll atof alloca asctime ctime gmtime localtime tmpnam mktemp

#endif
